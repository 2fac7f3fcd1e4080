"""How long a command takes from nothing to its result, and in how much memory: `msn` in a process of its own."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from makesomenoise.audio import io
from makesomenoise.evaluation.benchmark import noise

_MOST_SECONDS = 120.0
_KIBIBYTE = 1024
# What the system counts of a child includes its parent, whose pages it shares at first; VmHWM starts with the process.
_RUNNER = """
import atexit, contextlib, runpy, sys
path = sys.argv.pop(1)
def note():
    with contextlib.suppress(OSError), open("/proc/self/status") as status, open(path, "w") as file:
        file.write(next(line for line in status if line.startswith("VmHWM")).split()[1])
atexit.register(note)
runpy.run_module("makesomenoise", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A command from nothing.

    Attributes:
        seconds: until it has ended, or None if it failed.
        output: what it printed, or why it failed.
        peak_memory_bytes: most memory it held; None where the system does not say.
    """

    seconds: float | None
    output: str
    peak_memory_bytes: int | None = None


def measure_caption_start(model: str | Path, tokenizer: str | Path = "default", seconds: float = 10.0) -> ColdStart:
    """Times `msn caption` on a sound file of noise, from its start to its end.

    Args:
        model: what `--model` takes.
        tokenizer: what `--tokenizer` takes.
        seconds: length of the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.wav"
        io.save(file, noise(seconds)[0])
        return measure_cold_start(["caption", str(file), "--model", str(model), "--tokenizer", str(tokenizer)])


def measure_cold_start(words: Sequence[str], repeats: int = 1) -> ColdStart:
    """Times a command of `msn`.

    Args:
        words: of the command.
        repeats: the median of so many counts; what one printed that failed is told at once.
    """
    found: list[ColdStart] = []
    for _ in range(repeats):
        one = _started(words)
        if one.seconds is None:
            return one
        found.append(one)
    return replace(found[0], seconds=statistics.median(one.seconds or 0.0 for one in found))


def _started(words: Sequence[str]) -> ColdStart:
    with tempfile.TemporaryDirectory() as folder:
        memory = Path(folder) / "memory"
        command = [sys.executable, "-c", _RUNNER, str(memory), *words]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return ColdStart(None, f"it took more than {_MOST_SECONDS:.0f} s")
        taken = time.perf_counter() - started
        if done.returncode:
            return ColdStart(None, (done.stderr.strip().splitlines() or ["no message"])[-1])
        held = int(memory.read_text()) * _KIBIBYTE if memory.exists() else None
        return ColdStart(taken, done.stdout.strip(), held)
