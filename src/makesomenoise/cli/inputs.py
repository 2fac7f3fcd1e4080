"""Files that a command is given by name or by folder, and the names that what is made of them has in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.cli.errors import show
from makesomenoise.errors import RequestError
from makesomenoise.files import is_folder

_NAMED = 3


@dataclass(frozen=True)
class Wanted:
    """Which files of a folder are inputs.

    Attributes:
        name: what they are called.
        suffixes: with which their names end.
    """

    name: str
    suffixes: frozenset[str]


SOUND = Wanted("sound", SUFFIXES)
CODES = Wanted(".msn", frozenset({".msn"}))
HEARD = Wanted("sound or .msn", SUFFIXES | CODES.suffixes)


class InputError(RequestError):
    """Folders that nothing can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Found:
    """Inputs.

    Attributes:
        files: where they are.
        names: under which their results stand in a folder; those of a folder keep their place in it.
        from_folder: whether any is of a folder.
    """

    files: list[Path]
    names: list[Path]
    from_folder: bool


def find(inputs: Sequence[Path], recursive: bool, wanted: Wanted = SOUND) -> Found:
    """Finds the inputs in folders, and says what is left out.

    Args:
        inputs: files and folders.
        recursive: look into folders of folders too.
        wanted: which files of folders are inputs; those that are named are, whatever they are.

    Raises:
        InputError: if there is none in a folder.
    """
    files, names = [], []
    folders = [given for given in inputs if is_folder(given)]
    for given in inputs:
        inside = _inside(given, recursive, wanted) if given in folders else [given]
        files += inside
        names += [path.relative_to(given) for path in inside] if given in folders else [Path(given.name)]
    return Found(files, names, bool(folders))


def _inside(folder: Path, recursive: bool, wanted: Wanted) -> list[Path]:
    try:
        seen = sorted(path for path in folder.rglob("*") if not _hidden(path.relative_to(folder)) and path.is_file())
    except OSError as error:
        raise InputError(f"Cannot read the folder {folder}: {error.strerror}.") from None
    fitting = [path for path in seen if path.suffix.lower() in wanted.suffixes]
    here = [path for path in fitting if recursive or path.parent == folder]
    others = [path for path in seen if path not in set(fitting) and (recursive or path.parent == folder)]
    if below := len(fitting) - len(here):
        files = f"{below} {wanted.name} {'file' if below == 1 else 'files'}"
        show(f"{folder}: left out {files} in folders below it; --recursive takes them too.")
    if others:
        names = ", ".join(str(path.relative_to(folder)) for path in others[:_NAMED])
        more = f", ... ({len(others)} files)" if len(others) > _NAMED else ""
        show(f"{folder}: left out what is no {wanted.name} file by its name: {names}{more}.")
    if not here:
        raise InputError(f"No {wanted.name} files in the folder {folder}.")
    return here


def _hidden(path: Path) -> bool:
    """Whether a file or a folder around it begins with a dot, as what systems keep beside recordings does."""
    return any(part.startswith(".") for part in path.parts)
