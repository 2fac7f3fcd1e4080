"""Sound files that a command is given by name or by folder, and the names that what is made of them has in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.cli.errors import show
from makesomenoise.errors import RequestError
from makesomenoise.files import is_folder

_NAMED = 3


class InputError(RequestError):
    """Folders that nothing can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Found:
    """Sound files.

    Attributes:
        files: where they are.
        names: under which their results stand in a folder; those of a folder keep their place in it.
        from_folder: whether any is of a folder.
    """

    files: list[Path]
    names: list[Path]
    from_folder: bool


def find(inputs: Sequence[Path], recursive: bool) -> Found:
    """Finds the sound files in folders, and says what is left out.

    Args:
        inputs: files and folders.
        recursive: look into folders of folders too.

    Raises:
        InputError: if there is no sound in a folder.
    """
    files, names = [], []
    folders = [given for given in inputs if is_folder(given)]
    for given in inputs:
        inside = _sounds(given, recursive) if given in folders else [given]
        files += inside
        names += [path.relative_to(given) for path in inside] if given in folders else [Path(given.name)]
    return Found(files, names, bool(folders))


def _sounds(folder: Path, recursive: bool) -> list[Path]:
    try:
        seen = sorted(path for path in folder.rglob("*") if not _hidden(path.relative_to(folder)) and path.is_file())
    except OSError as error:
        raise InputError(f"Cannot read the folder {folder}: {error.strerror}.") from None
    sounds = [path for path in seen if path.suffix.lower() in SUFFIXES]
    here = [path for path in sounds if recursive or path.parent == folder]
    others = [path for path in seen if path not in set(sounds) and (recursive or path.parent == folder)]
    if below := len(sounds) - len(here):
        show(f"{folder}: {below} sound files in folders below it are left out; --recursive takes them too.")
    if others:
        names = ", ".join(str(path.relative_to(folder)) for path in others[:_NAMED])
        more = ", ..." if len(others) > _NAMED else ""
        show(f"{folder}: {len(others)} files are left out that are no sound by their names ({names}{more}).")
    if not here:
        raise InputError(f"No sound files in the folder {folder}.")
    return here


def _hidden(path: Path) -> bool:
    """Whether a file or a folder around it begins with a dot, as what systems keep beside recordings does."""
    return any(part.startswith(".") for part in path.parts)
