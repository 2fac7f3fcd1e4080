"""Run folders: the configuration, the git commit and the last checkpoint of one training; knows no trainer."""

from pathlib import Path

from makesomenoise.checkpoint import source_commit
from makesomenoise.config import Config
from makesomenoise.errors import FileError
from makesomenoise.files import make_folder, write_text

CONFIG_FILE = "config.yaml"
COMMIT_FILE = "commit.txt"
CHECKPOINT_FILE = "last.ckpt"


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
        RunError: if the folder already holds a run and `resume` is not set, or holds one of another configuration.
    """
    folder = Path(folder)
    last, recorded = last_checkpoint(folder), folder / CONFIG_FILE
    if joins:
        return last
    if recorded.exists() and not resume:
        raise RunError(f"The run folder {folder} is in use; resume that run (--resume) or give another folder.")
    if last is not None and recorded.read_text(encoding="utf-8") != config.to_yaml():
        raise RunError(f"The configuration differs from {recorded}; a run resumes only with its own.")
    make_folder(folder)
    write_text(recorded, config.to_yaml())
    write_text(folder / COMMIT_FILE, f"{source_commit()}\n")
    return last


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint: a file, or a folder of transformers' trainer, which writes its state last."""
    if (folder / CHECKPOINT_FILE).exists():
        return folder / CHECKPOINT_FILE
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
