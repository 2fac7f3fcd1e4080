"""The files of a folder or of an archive (zip, tar, compressed or not), by name; knows no sound."""

import tarfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from makesomenoise.errors import DataError
from makesomenoise.files import reason

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError)


class ArchiveError(DataError):
    """A folder or archive that cannot be read; the message is one sentence for the user."""


class Archive:
    """A folder or an archive.

    Args:
        path: of it.

    Attributes:
        names: of its files, with `/` between folders, in the order of the archive, or of the alphabet.

    Raises:
        ArchiveError: if it is not there, is no archive, or is cut off.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.exists():
            raise ArchiveError(f"{self.path} does not exist: give the folder or the archive that you have.")
        with _readable(self.path):
            self.names = _names(self.path)

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Some of the files with their bytes, in the order of `names` of the archive, which is read once.

        Raises:
            ArchiveError: if the archive cannot be read to its end.
        """
        wanted = set(names)
        with _readable(self.path):
            yield from _contents(self.path, [name for name in self.names if name in wanted])

    def read(self, name: str) -> bytes:
        """The bytes of one file; errors as `read_each`."""
        return next(data for _, data in self.read_each([name]))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        told = reason(error) if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise ArchiveError(
            f"{path} cannot be read ({told}): give a folder, or a whole zip or tar archive; half a download is none."
        ) from None


def _names(path: Path) -> list[str]:
    if path.is_dir():
        return sorted(one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [one.filename for one in archive.infolist() if not one.is_dir()]
    with tarfile.open(path) as archive:
        return [member.name for member in archive if member.isreg()]


def _contents(path: Path, names: list[str]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for name in names:
            yield name, (path / name).read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in names:
                yield name, archive.read(name)
    else:
        wanted = set(names)
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name in wanted else None
                if file is not None:
                    yield member.name, file.read()
