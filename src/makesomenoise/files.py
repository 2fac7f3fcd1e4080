"""Files and folders that appear whole or not at all, and how their errors are told; knows nothing of what they hold.

All that the project writes goes through here. A temporary file lies beside its target until it is whole, since only
within one file system can it take the target's place in one step.
"""

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from makesomenoise.errors import FileError

_PREFIX, _PART = ".makesomenoise-", ".part"
_DESCRIPTORS = re.compile(r"/proc/(\d+)(?:/task/\d+)?/fd|/dev/fd")
_MOST_LINKS = 40
_LOST = (errno.EIO, errno.ENOSPC, errno.EDQUOT)  # of errors of syncing, those in which bytes did not reach the disk
_ADVICE = {
    errno.ENOENT: "give a name in an existing folder",
    errno.ENOTDIR: "give a name in an existing folder",
    errno.EISDIR: "give the name of a file",
    errno.EACCES: "give a name in a folder that can be written to",
    errno.EPERM: "give a name in a folder that can be written to",
    errno.EROFS: "give a name in a folder that can be written to",
    errno.ENOSPC: "make room, or write to another disk",
    errno.EFBIG: "raise the limit, or write less",
    errno.EDQUOT: "make room, or write to another disk",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EPIPE: "whatever was to read it ended early",
}


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Gives the name of a temporary file, which takes the place of `path` when the context ends without an error.

    Links are followed. What is no regular file (a device, a pipe, `/dev/stdout`) is written into. A new file has the
    mode that the umask leaves of 0666; one that is replaced keeps its own.

    Args:
        path: name of the file.

    Yields:
        Name of an empty file to be written; removed when the context ends with an error, Ctrl-C and SystemExit
        included.

    Raises:
        FileError: if the file cannot be written, a full disk included.
    """
    path, temporary = Path(path), None
    try:
        target = _target(path)
        temporary = _new_part(target.parent) if target else _new_part(Path(tempfile.gettempdir()), 0o600)
        mode = _mode(target if target and target.exists() else temporary)
        yield temporary
        if target:
            temporary.chmod(mode)  # a library may have made the file anew
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
        else:
            _copy_into(path, temporary)
    except OSError as error:
        if not _is_about(error, path):
            raise
        raise cannot("write", path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes a file; see `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Writes a file in UTF-8, bytes of names that are none escaped; see `atomic_write`."""
    write_bytes(path, as_text(text).encode())


def check_writable(path: str | Path) -> None:
    """Tells before the work what `atomic_write` would find after it.

    Raises:
        FileError: if the file cannot be written.
    """
    path = Path(path)
    try:
        target = _target(path)
        if target:
            _new_part(target.parent).unlink()
        elif _descriptor(path) is None and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise cannot("write", path, error) from None


def is_stream(path: str | Path) -> bool:
    """Whether a name is of something that is written into and never replaced: a device, a pipe, `/dev/stdout`."""
    try:
        return _target(Path(path)) is None
    except OSError:
        return False


def make_folder(path: str | Path) -> Path:
    """Makes a folder and those above it, where they are missing, with the modes that the umask leaves of 0777.

    Raises:
        FileError: if it cannot be made, or is a file.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FileError(f"Cannot make the folder {path}: it is a file; give another name.") from None
    except OSError as error:
        raise FileError(f"Cannot make the folder {path}: {reason(error)}; give another name.") from None
    return path


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Gives a temporary folder, which takes the place of `path` when the context ends without an error.

    Args:
        path: a folder that is missing or empty; those above it are made. Modes are those that the umask leaves of 0777
            and 0666, whatever made the files.

    Yields:
        An empty folder to be filled; removed with all that is in it when the context ends with an error.

    Raises:
        FileError: if the folder cannot be written, a full disk included.
    """
    target, temporary = Path(os.path.realpath(path)), None
    try:
        make_folder(target.parent)
        whole = target.parent / _fresh()
        whole.mkdir()
        temporary = whole
        yield temporary
        _settle(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise cannot("write", Path(path), error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder of this name; there is none where the system cannot even look for it."""
    return os.path.isdir(path)  # noqa: PTH112 - the one of pathlib raises where a name is too long


def is_free(path: str | Path) -> bool:
    """Whether a folder is new or empty, so that nothing is lost by writing it."""
    path = Path(path)
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def check_free(path: str | Path) -> None:
    """Tells before the work whether `atomic_folder` can begin, and that nothing is lost by it.

    Raises:
        FileError: if the folder is neither new nor empty, or cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if not is_free(target):
            raise FileError(f"Cannot write to {path}: name a folder that is new or empty.")
        _new_part(next(folder for folder in target.parents if folder.exists())).unlink()
    except OSError as error:
        raise cannot("write", path, error) from None


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Keeps other processes that ask for the same lock waiting; a process that dies gives it back.

    Args:
        path: a file that stands for the lock; made, and left there.
    """
    with Path(path).open("ab") as file:
        with suppress(ImportError, OSError):  # systems and file systems without locks
            import fcntl  # noqa: PLC0415 - Windows has none

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: str | Path, pattern: str = f"{_PREFIX}*{_PART}", least_age: float = 0.0) -> None:
    """Removes the temporary files and folders that processes which were killed have left in a folder.

    Args:
        folder: where they lie.
        pattern: of their names.
        least_age: seconds for which nothing was written to them; younger ones may still be of use to somebody.
    """
    for left in Path(folder).glob(pattern):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < least_age:
                continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def as_text(name: str | Path) -> str:
    """A name as text that can be written anywhere: its bytes that are no UTF-8 are escaped."""
    return str(name).encode("utf-8", "backslashreplace").decode()


def printable(name: str | Path) -> str:
    """A name or sentence on one line: control characters too are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in as_text(name))


def reason(error: OSError) -> str:
    """What the system says of an error, without numbers and names."""
    return error.strerror or re.sub(r"^\[Errno \d+\] ", "", " ".join(str(error).split())) or type(error).__name__


def cannot(do: str, path: str | Path, error: OSError) -> FileError:
    """The sentence for an error of the system.

    Args:
        do: `write`, ...
        path: the file.
        error: what went wrong.
    """
    if error.errno == errno.EISDIR:
        return FileError(f"Cannot {do} {path}: it is a folder; give the name of a file.")
    advice = _ADVICE.get(error.errno or 0, "give another name")
    return FileError(f"Cannot {do} {path}: {reason(error)}; {advice}.")


def _target(path: Path) -> Path | None:
    """The regular file that is to be replaced or made; none where there is something to be written into."""
    number = _descriptor(path)
    if number is not None:
        os.fstat(number)  # an OSError where it is closed
        return None
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return target if stat.S_ISREG(mode) else None


def _descriptor(path: Path) -> int | None:
    """Number of the open file of this process that a name such as `/dev/stdout` or `/proc/self/fd/3` stands for."""
    name = os.fspath(path)
    for _ in range(_MOST_LINKS):
        folder, last = os.path.split(name)
        folder = os.path.realpath(folder)
        found = _DESCRIPTORS.fullmatch(folder)
        if found and last.isdecimal():
            return int(last) if found[1] in (None, str(os.getpid())) else None
        name = os.path.join(folder, last)  # noqa: PTH118 - names are taken apart by hand here
        if not os.path.islink(name):  # noqa: PTH114
            return None
        name = os.path.join(folder, os.readlink(name))  # noqa: PTH115, PTH118
    return None


def _new_part(folder: Path, mode: int = 0o666) -> Path:
    """An empty temporary file, with what the umask leaves of a mode."""
    path = folder / _fresh()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    return path


def _fresh() -> str:
    # Not made from the target's name, which may be as long as names can be.
    return f"{_PREFIX}{secrets.token_hex(6)}{_PART}"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _is_about(error: OSError, path: Path) -> bool:
    """Whether an error that ended the writing of `path` is about that, and not about a file that was read for it."""
    if error.filename is None:
        return True
    name, target = str(error.filename), os.path.realpath(path)
    return Path(name).name.startswith(_PREFIX) or name in (str(path), target, os.path.dirname(target))  # noqa: PTH120


def _copy_into(path: Path, source: Path) -> None:
    number = _descriptor(path)
    sink = path.open("wb") if number is None else os.fdopen(os.dup(number), "wb")
    with source.open("rb") as file, sink:
        shutil.copyfileobj(file, sink)


def _settle(folder: Path) -> None:
    """Gives a folder's contents the modes of the umask, which is seen by the folder's own, and makes them lasting."""
    mode = _mode(folder) & 0o777
    for path in folder.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & 0o666)
        _sync(path)


def _sync(path: Path) -> None:
    """Has the system write a file, or the names in a folder, to the disk, where the file system can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in _LOST:
            raise
    finally:
        os.close(handle)
