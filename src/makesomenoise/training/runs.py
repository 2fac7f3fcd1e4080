"""Run folders: the configuration, the git commit and the last checkpoint of one training; knows no trainer."""

import errno
from pathlib import Path
from typing import BinaryIO

from makesomenoise.checkpoint import source_commit
from makesomenoise.config import Config
from makesomenoise.errors import FileError
from makesomenoise.files import make_folder, write_text

CONFIG_FILE = "config.yaml"
COMMIT_FILE = "commit.txt"
CHECKPOINT_FILE = "last.ckpt"
LOCK_FILE = ".lock"
_HELD: dict[Path, BinaryIO] = {}  # open as long as the process runs: to close one is to give the lock back


class RunError(FileError):
    """A run that cannot start; the message is one sentence for the user."""


def open_run(folder: str | Path, config: Config, resume: bool, joins: bool = False) -> Path | None:
    """Makes or reopens a run folder and records the configuration and the git commit in it.

    Args:
        folder: the run folder.
        config: what is about to be trained, written as `config.yaml`.
        resume: go on from the last checkpoint, if there is one.
        joins: this process takes part in a run that another one, of the first device, has opened: nothing is written.

    Returns:
        The checkpoint to go on from, or None for a fresh start.

    Raises:
        RunError: if the folder already holds a run and `resume` is not set, or holds one of another configuration, or
            if another process trains in it.
        FileError: if the folder cannot be written.
    """
    folder = Path(folder)
    last, recorded = last_checkpoint(folder), folder / CONFIG_FILE
    if joins:
        return last
    if recorded.exists() and not resume:
        raise RunError(f"The run folder {folder} is in use; resume that run (--resume) or give another folder.")
    if last is not None and recorded.read_text(encoding="utf-8") != config.to_yaml():
        raise RunError(f"The configuration differs from {recorded}; a run resumes only with its own.")
    _hold(make_folder(folder))
    write_text(recorded, config.to_yaml())
    write_text(folder / COMMIT_FILE, f"{source_commit()}\n")
    return last


def _hold(folder: Path) -> None:
    """Keeps other processes out of a run folder until this process ends.

    Raises:
        RunError: if another process trains in it.
    """
    if folder.resolve() in _HELD:
        return
    file = (folder / LOCK_FILE).open("ab")
    try:
        import fcntl  # noqa: PLC0415 - Windows has none

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            file.close()
            raise RunError(f"Another process trains in {folder}; wait for it, or give another folder.") from None
    except ImportError:
        pass
    _HELD[folder.resolve()] = file


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint: a file, or a folder of transformers' trainer, which writes its state last."""
    if (folder / CHECKPOINT_FILE).exists():
        return folder / CHECKPOINT_FILE
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
