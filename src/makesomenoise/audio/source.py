"""Whatever a sound is given as (a path, `-`, a pipe, bytes, an open file) as bytes with random access; decodes nothing.

What cannot be sought in is copied: into memory, or where it is long into a temporary file that goes when it is done
with, errors included.
"""

import errno
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from makesomenoise.audio.errors import AudioError

Source = str | Path | bytes | BinaryIO

STANDARD_INPUT = "-"
_CACHED_BYTES = 1 << 20
_MOST_IN_MEMORY = 1 << 24
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class SourceBytes:
    """The bytes of a source, a part at a time.

    Args:
        file: can be sought in.
        name: how errors call it.
        path: where it lies, if it is a plain file.

    Attributes:
        size: number of bytes.
    """

    def __init__(self, file: BinaryIO, name: str, path: Path | None = None):
        self.name, self.path, self._file = name, path, file
        self.size = file.seek(0, io.SEEK_END)
        self._start, self._block = 0, b""

    def at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on; fewer at the end."""
        first = offset - self._start
        if first < 0 or first + count > len(self._block):
            self._file.seek(offset)
            self._start, self._block, first = offset, self._file.read(max(count, _CACHED_BYTES)), 0
        return self._block[first : first + count]

    def find(self, pattern: bytes, start: int, stop: int | None = None) -> int:
        """Place of the first `pattern` that lies in `start` to `stop`, or -1."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            block = self.at(start, min(_CACHED_BYTES, stop - start))
            found = block.find(pattern)
            if found >= 0:
                return start + found
            start += max(len(block) - len(pattern) + 1, 1) if block else stop
        return -1


class Pieces(io.RawIOBase):
    """A file that is put together of pieces of another and of given bytes.

    Args:
        data: the other file.
        pieces: given bytes, and ranges of places in `data`.
    """

    def __init__(self, data: SourceBytes, pieces: Sequence[bytes | range]):
        super().__init__()
        self._data, self._pieces = data, pieces
        self._ends = []
        end = 0
        for piece in pieces:
            end += len(piece)
            self._ends.append(end)
        self._at, self._number = 0, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, as `io.IOBase.seek`."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        self._at, self._number = max(origin + offset, 0), 0
        return self._at

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def seekable(self) -> bool:
        """Always."""
        return True

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        left = (self._ends[-1] if self._ends else 0) - self._at if size < 0 else size
        parts = []
        while left > 0 and (part := self._part(left)):
            parts.append(part)
            self._at += len(part)
            left -= len(part)
        return b"".join(parts)

    def readinto(self, buffer) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - any writable buffer
        """Fills a buffer, fewer bytes at the end."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _part(self, most: int) -> bytes:
        while self._number < len(self._ends) and self._ends[self._number] <= self._at:
            self._number += 1
        if self._number == len(self._ends):
            return b""
        piece = self._pieces[self._number]
        within = self._at - (self._ends[self._number] - len(piece))
        if isinstance(piece, bytes):
            return piece[within : within + most]
        return self._data.at(piece.start + within, min(most, len(piece) - within, _CACHED_BYTES))


@contextmanager
def opened(source: Source) -> Iterator[SourceBytes]:
    """Opens a source.

    Raises:
        AudioError: if there is no such file, it is a folder, a device or empty, or there is no room for a copy of it.
    """
    name = name_of(source)
    try:
        with _file(source, name) as (file, path):
            data = SourceBytes(file, name, path)
            if not data.size:
                raise AudioError(f"Cannot read {name}: the file is empty.")
            yield data
    except OSError as error:
        raise AudioError(f"Cannot read {name}: {error.strerror or error}.") from None


@contextmanager
def as_path(data: SourceBytes) -> Iterator[Path]:
    """A path under which other programs find the bytes."""
    if data.path is not None:
        yield data.path
        return
    with _temporary() as (file, path):
        with _room(data.name):
            for offset in range(0, data.size, _CACHED_BYTES):
                file.write(data.at(offset, _CACHED_BYTES))
            file.flush()
        yield path


def name_of(source: Source) -> str:
    """How errors call a source."""
    if isinstance(source, str | Path):
        return "standard input" if str(source) == STANDARD_INPUT else str(source)
    return "the given bytes" if isinstance(source, bytes) else str(getattr(source, "name", "the given file"))


@contextmanager
def _file(source: Source, name: str) -> Iterator[tuple[BinaryIO, Path | None]]:
    if isinstance(source, bytes):
        yield io.BytesIO(source), None
    elif isinstance(source, str | Path) and str(source) != STANDARD_INPUT:
        with _checked(Path(source)).open("rb") as file:
            if stat.S_ISREG(Path(source).stat().st_mode):
                yield file, Path(source).resolve()
            else:
                with _copied(file, name) as copy:
                    yield copy
    else:
        file = _standard_input() if isinstance(source, str | Path) else source
        if file.seekable():
            yield file, None
        else:
            with _copied(file, name) as copy:
                yield copy


def _checked(path: Path) -> Path:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise AudioError(f"Cannot read {path}: it is a folder; give a sound file.")
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise AudioError(f"Cannot read {path}: it is a device; give a sound file or a pipe.")
    return path


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.closed:
        raise AudioError("Cannot read standard input: it is closed; give a sound file or a pipe.")
    if sys.stdin.isatty():
        raise AudioError("Cannot read standard input: it is a terminal; give a sound file or a pipe.")
    return sys.stdin.buffer


@contextmanager
def _copied(file: BinaryIO, name: str) -> Iterator[tuple[BinaryIO, Path | None]]:
    start = file.read(_MOST_IN_MEMORY + 1)
    if len(start) <= _MOST_IN_MEMORY:
        yield io.BytesIO(start), None
        return
    with _temporary() as (copy, path):
        with _room(name):
            copy.write(start)
            del start
            shutil.copyfileobj(file, copy)
            copy.flush()
        yield copy, path


@contextmanager
def _temporary() -> Iterator[tuple[BinaryIO, Path]]:
    """A file under a path; it goes with the process, however that ends, where the system has paths of open files."""
    with tempfile.TemporaryFile() as file:
        path = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
        if path.exists():
            yield cast(BinaryIO, file), path
            return
    with tempfile.NamedTemporaryFile(prefix="makesomenoise-") as file:
        yield cast(BinaryIO, file), Path(file.name)


@contextmanager
def _room(name: str) -> Iterator[None]:
    """Says where room was wanted."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        folder = tempfile.gettempdir()
        raise AudioError(
            f"Cannot read {name}: there is no room for a copy of it in {folder} ({error.strerror}); "
            "make room, or name another folder in TMPDIR."
        ) from None
