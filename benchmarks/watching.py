"""What a command and all that it starts cost: the clock, the processor, and each process's own memory at its peak.

A process belongs to a command if it carries its mark in its environment, so that those of a Ray cluster, which leave
the tree of the command that started it, are counted too.
"""

import os
import subprocess
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_MARK = "MSN_BENCHMARK"
_TICKS = os.sysconf("SC_CLK_TCK")
_PERIOD_SECONDS = 1.0  # a look costs some milliseconds


@dataclass(frozen=True)
class Look:
    """How far a command was at a moment.

    Attributes:
        seconds: by the clock, since it began.
        done: what it had made.
        processor: seconds of the processor by kind of process.
    """

    seconds: float
    done: int
    processor: dict[str, float]


@dataclass
class Cost:
    """What a command came to.

    Attributes:
        looks: at it, one after the other; what a process used after the last one is missed.
        memory: the most that one process of a kind had for its own at once, MB; pages of files are not counted.
        returncode: of the command.
        told: what it said.
    """

    looks: list[Look] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    returncode: int = 0
    told: str = ""


def watched(command: Sequence[str], done: Callable[[], int]) -> Cost:
    """Runs a command to its end, and gives what it cost.

    Args:
        command: is told to take one thread a process.
        done: how much it has made, counted at each look.
    """
    mark, watch, cost = uuid.uuid4().hex, _Watch(), Cost()
    began = time.monotonic()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1", _MARK: mark}, **pipes)
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_PERIOD_SECONDS):
            made = done()
            watch.look(mark, process.pid)
            cost.looks.append(Look(time.monotonic() - began, made, watch.processor()))

    thread = threading.Thread(target=look)
    thread.start()
    told, _ = process.communicate()
    stop.set()
    thread.join()
    cost.memory, cost.returncode, cost.told = dict(watch.memory), process.returncode, told.strip()
    return cost


class _Watch:
    """What was seen of the processes of a command."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[int, str], str] = {}  # none is of no process of the command
        self._ticks: dict[tuple[int, str], int] = {}
        self.memory: dict[str, float] = defaultdict(float)

    def look(self, mark: str, first: int) -> None:
        for place in Path("/proc").iterdir():
            if place.name.isdecimal():
                try:
                    self._look(place, mark, first)
                except OSError:  # it has ended meanwhile
                    continue

    def processor(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for one, ticks in self._ticks.items():
            found[self._kinds[one]] += ticks / _TICKS
        return dict(found)

    def _look(self, place: Path, mark: str, first: int) -> None:
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        one = (int(place.name), fields[19])  # with the time of its start, since numbers come again
        if self._kinds.get(one) == "":
            return
        if f"{_MARK}={mark}".encode() not in (place / "environ").read_bytes():
            self._kinds[one] = ""
            return
        self._kinds[one] = "command" if one[0] == first else _kind((place / "cmdline").read_bytes())
        self._ticks[one] = int(fields[11]) + int(fields[12])
        own = [line for line in (place / "status").read_text().splitlines() if line.startswith("RssAnon")]
        if own:
            kind = self._kinds[one]
            self.memory[kind] = max(self.memory[kind], int(own[0].split()[1]) / 1024)


def _kind(arguments: bytes) -> str:
    """What a process is; Ray gives those that encode their name when they begin to."""
    if b"spawn_main" in arguments:
        return "worker"
    return "actor" if b"MapWorker" in arguments else "rest of Ray"
