"""Folders are searched for sound, names keep their place, and what is left out is said."""

from pathlib import Path

import pytest

from makesomenoise.audio import io
from makesomenoise.cli.inputs import CODES, HEARD, InputError, find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.wav",
        "A.FLAC",
        "notes.txt",
        ".hidden.wav",
        "._b.wav",
        "dogs/a.wav",
        "dogs/old/c.m4a",
        ".git/d.wav",
    ):
        path = tmp_path / "sounds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "sounds"


def test_a_folder_is_searched_and_what_is_left_out_is_said(folder: Path, capsys):
    found = find([folder], recursive=False)
    assert found.names == [Path("A.FLAC"), Path("b.wav")]
    assert found.files == [folder / name for name in found.names]
    assert found.from_folder
    told = capsys.readouterr().err
    assert "left out 2 sound files in folders below it; --recursive takes them too" in told
    assert "left out what is no sound file by its name: notes.txt." in told


def test_what_is_wanted_depends_on_the_command(folder: Path, capsys):
    (folder / "b.msn").touch()
    assert find([folder], recursive=False, wanted=CODES).names == [Path("b.msn")]
    assert "left out what is no .msn file by its name: A.FLAC, b.wav, notes.txt." in capsys.readouterr().err
    assert find([folder], recursive=False, wanted=HEARD).names == [Path("A.FLAC"), Path("b.msn"), Path("b.wav")]


def test_names_keep_their_place(folder: Path, capsys):
    found = find([folder, Path("other.xyz")], recursive=True)
    assert [str(name) for name in found.names] == ["A.FLAC", "b.wav", "dogs/a.wav", "dogs/old/c.m4a", "other.xyz"]
    assert "--recursive" not in capsys.readouterr().err


def test_files_alone_are_taken_as_they_are(folder: Path):
    found = find([folder / "notes.txt", Path("-")], recursive=False)
    assert found.files == [folder / "notes.txt", Path("-")]
    assert not found.from_folder


def test_a_folder_without_sound_is_refused(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="No sound files in the folder"):
        find([tmp_path / "empty"], recursive=True)


def test_a_folder_is_encoded_into_a_folder(msn, models, tmp_path: Path, tone):
    for name in ("a.wav", "dogs/a.wav"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        io.save(tmp_path / "in" / name, tone(0.3))
    result = msn("encode", tmp_path / "in", tmp_path / "out", "--recursive", "--model", models.ours)
    assert result.exit_code == 0, result.output
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.msn")) == [
        "a.msn",
        "dogs/a.msn",
    ]
    quiet = msn("encode", tmp_path / "in", tmp_path / "new", "-r", "-q", "--model", models.ours)
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    assert (tmp_path / "new" / "dogs" / "a.msn").is_file()
    result = msn("encode", tmp_path / "in", tmp_path / "x.msn", "--model", models.ours)
    assert result.exit_code == 2
    assert not (tmp_path / "x.msn").exists()
