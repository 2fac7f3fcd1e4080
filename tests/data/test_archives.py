"""Folders and archives give the same files; what is not whole is one sentence."""

import tarfile
import zipfile
from pathlib import Path

import pytest

from makesomenoise.data.archives import Archive, ArchiveError

FILES = {"set/a.csv": b"x,y\n1,2\n", "set/audio/b.wav": bytes(range(256)) * 40, "set/audio/c.wav": b"sound"}


def packed(kind: str, folder: Path) -> Path:
    for name, data in FILES.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(data)
    if kind == "folder":
        return folder / "in"
    path = folder / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            archive.add(folder / "in" / "set", "set")
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_all_kinds_give_the_same(kind: str, tmp_path: Path):
    archive = Archive(packed(kind, tmp_path))
    assert set(archive.names) == set(FILES)
    assert dict(archive.read_each(["set/audio/b.wav", "set/audio/c.wav"])) == {
        name: data for name, data in FILES.items() if name.endswith(".wav")
    }
    assert archive.read("set/a.csv") == FILES["set/a.csv"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_half_a_download_is_refused(kind: str, tmp_path: Path):
    path = packed(kind, tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ArchiveError, match="half a download is none"):
        Archive(path)


def test_what_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(ArchiveError, match="does not exist"):
        Archive(tmp_path / "nothing.zip")
