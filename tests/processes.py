"""Runs `msn` in processes that need not import what it needs: the one that they are forked from has done so."""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

# Every command that tests start in processes of their own needs one of these.
_PRELOADED = (
    "makesomenoise.cli.main",
    "makesomenoise.training.language.recipe",
    "makesomenoise.training.tokenizer",
    "makesomenoise.training.vocoder",
)


@dataclass(frozen=True)
class Msn:
    """A command that runs.

    Attributes:
        process: its process.
        log: receives what it writes to its standard output and its standard error.
    """

    process: BaseProcess
    log: Path

    def ended(self, seconds: float = 400.0) -> int:
        """Waits for its end; gives its exit code, or the signal that killed it as a negative number."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running after {seconds} s: {self.told()}"
        return self.process.exitcode

    def told(self) -> str:
        """What it has written."""
        return self.log.read_text(encoding="utf-8")


def start_msn(
    words: Sequence[object], log: Path, environment: Mapping[str, str], before: Callable[[], object] | None = None
) -> Msn:
    """Starts `msn`.

    Args:
        words: the command and its arguments.
        log: receives what it writes.
        environment: variables to set before anything is run.
        before: called in its process first; a function of a module, or `partial` of one.
    """
    # A plain fork of this process would not do: torch's gradients are computed by threads that a fork does not have.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    process = context.Process(target=_run, args=(tuple(map(str, words)), log, dict(environment), before))
    process.start()
    return Msn(process, log)


def start_on_devices(count: int, words: Sequence[object], folder: Path, **environment: str) -> list[Msn]:
    """Starts what `torchrun` starts: one process for each device, told its place by the environment.

    Args:
        count: number of devices.
        words: the command and its arguments.
        folder: receives a log of each.
        environment: further variables to set.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    known = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1"}
    known |= {"MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": "", **environment}
    return [
        start_msn(words, folder / f"{port}-{n}.log", known | {"RANK": str(n), "LOCAL_RANK": str(n)})
        for n in range(count)
    ]


def _run(words: tuple[str, ...], log: Path, environment: dict[str, str], before: Callable[[], object] | None) -> None:
    os.environ.update(environment)
    with log.open("wb") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
    if before is not None:
        before()
    from makesomenoise.cli.main import app

    sys.argv = ["msn", *words]
    app()
