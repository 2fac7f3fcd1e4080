"""An input is never an output, another kind of file is never written over, and what exists stays unless forced."""

import os
from pathlib import Path

import pytest
import torch

from makesomenoise.cli.targets import CODE_FILES, SOUND_FILES, Kind, TargetError, check, numbered, plan
from makesomenoise.errors import FileError
from makesomenoise.tokenizer import bitstream


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three files, in the folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    names = [Path(name) for name in ("a.wav", "b.wav", "c.flac")]
    for name in names:
        name.write_text(f"recording {name}")
    return names


def codes(path: Path) -> Path:
    bitstream.write(path, bitstream.Bitstream(torch.arange(5), 5000, "0" * 16))
    return path


def test_a_recording_is_never_written_over(recordings):
    a, b, c = recordings
    for inputs, output in (([a], "b.wav"), ([a, b], "c.flac"), ([a], "a.wav"), ([a, a], "b.wav")):
        for force in (False, True):
            with pytest.raises(TargetError):
                plan(inputs, output, CODE_FILES, force)
    assert c.read_text() == "recording c.flac"
    assert sorted(path.name for path in Path().iterdir()) == ["a.wav", "b.wav", "c.flac"]


def test_an_input_under_another_name_is_no_output(recordings):
    a, b, _ = recordings
    Path("link.msn").symlink_to(a)
    Path("hard.msn").hardlink_to(b)
    for name in ("link.msn", "hard.msn"):
        with pytest.raises(TargetError, match="it is an input; name the output last"):
            plan([a, b][name == "hard.msn" :][:1], name, CODE_FILES, force=True)
    Path("out").mkdir()
    Path("out/a.msn").hardlink_to(b)  # an input of another pair
    work = plan([a, b], "out", CODE_FILES, force=True)
    assert work.pairs == [(b, Path("out/b.msn"))]
    assert [source for source, _ in work.refused] == [a]


@pytest.mark.parametrize("name", ["a.mp3", "a.tar", "a.M4A", "a.yaml", "a.safetensors", "a.txt"])
def test_names_of_other_kinds_are_refused(name: str, recordings):
    with pytest.raises(TargetError, match=r"its name must end in \.msn"):
        plan(recordings[:1], name, CODE_FILES, force=True)
    with pytest.raises(TargetError, match=r"must end in one of \.wav"):
        plan([Path("x.msn")], "a.msn", SOUND_FILES)


@pytest.mark.parametrize("name", ["a.msn", "A.MSN", "codes", "take.7"])
def test_names_of_no_other_kind_are_taken(name: str, recordings):
    assert plan(recordings[:1], name, CODE_FILES).pairs == [(recordings[0], Path(name))]


@pytest.mark.parametrize("output", ["new/", "new/deep/", "there", "there/"])
def test_a_folder_gets_a_file_for_each_input(output: str, recordings):
    Path("there").mkdir()
    for inputs in (recordings[:1], recordings):
        work = plan(inputs, output, CODE_FILES)
        assert [target for _, target in work.pairs] == [Path(output) / path.with_suffix(".msn") for path in inputs]
    assert Path(output).is_dir()


def test_several_inputs_need_a_folder(recordings):
    codes(Path("x.msn"))
    for name, sentence in (
        ("x.msn", "and x.msn is a file"),
        ("y.msn", "give y/ or so"),
        ("/dev/null", "and /dev/null is a file"),
        ("-", "standard output takes one file"),
    ):
        with pytest.raises(TargetError, match=sentence):
            plan(recordings, name, CODE_FILES, force=True)
    assert [target.name for _, target in plan(recordings, "new", CODE_FILES).pairs] == ["a.msn", "b.msn", "c.msn"]


def test_what_exists_stays_unless_it_is_codes_for_codes_or_forced(recordings):
    Path("x.wav").touch()
    Path("x.msn").write_text("notes")
    codes(Path("y.msn"))
    for inputs, output, kind in (([Path("y.msn")], "x.wav", SOUND_FILES), (recordings[:1], "x.msn", CODE_FILES)):
        with pytest.raises(TargetError, match="exists and is kept: give another name, or --force"):
            plan(inputs, output, kind)
        assert plan(inputs, output, kind, force=True).pairs == [(inputs[0], Path(output))]
    assert plan(recordings[:1], "y.msn", CODE_FILES).pairs == [(recordings[0], Path("y.msn"))]


def test_of_several_those_that_exist_are_left_out(recordings):
    Path("out").mkdir()
    Path("out/b.msn").write_text("notes")
    work = plan(recordings, "out", CODE_FILES)
    assert [source for source, _ in work.pairs] == [recordings[0], recordings[2]]
    ((source, error),) = work.refused
    assert source == recordings[1]
    assert str(error).startswith("out/b.msn exists and is kept")
    assert not plan(recordings, "out", CODE_FILES, force=True).refused
    for name in "ac":
        Path(f"out/{name}.msn").write_text("notes")
    work = plan(recordings, "out", CODE_FILES)
    assert (work.pairs, len(work.refused)) == ([], 3)


def test_what_is_there_is_left_out_where_work_is_resumed(recordings):
    Path("out").mkdir()
    Path("out/b.msn").write_text("notes")
    for inputs, force, left in ((recordings, False, "ac"), (recordings, True, "ac"), (recordings[1:2], False, "")):
        work = plan(inputs, "out", CODE_FILES, force, resume=True)
        assert [target.stem for _, target in work.pairs] == list(left)
        assert not work.refused
    with pytest.raises(TargetError, match="Nothing can be resumed on standard output"):
        plan(recordings[:1], "-", CODE_FILES, resume=True)


def test_texts_follow_each_other_on_standard_output(recordings):
    text = Kind("text", (".txt",), strict=False, is_text=True)
    work = plan(recordings, "-", text)
    assert work.pairs == [(path, Path("-")) for path in recordings]
    assert not work.aloud


def test_a_folder_that_cannot_be_written_is_told_first(recordings):
    for output in ("/proc/none/a.msn", "missing/a.msn", "a.wav/a.msn", "n" * 300):
        with pytest.raises(FileError, match="Cannot write"):
            plan(recordings[:1], output, CODE_FILES)
    for output in ("/proc/none/", "a.wav/"):
        with pytest.raises(FileError, match="Cannot make the folder"):
            plan(recordings[:1], output, CODE_FILES)


def test_pipes_and_devices_take_any_kind(recordings):
    os.mkfifo("pipe.txt")
    for output in ("pipe.txt", "/dev/null"):
        for kind in (CODE_FILES, SOUND_FILES):
            check(Path(output), kind, force=False, inputs=recordings)


def test_made_sounds_are_numbered_and_kept_too(recordings):
    assert numbered("x.wav", 1, SOUND_FILES) == [Path("x.wav")]
    assert numbered("new/", 2, SOUND_FILES) == [Path("new/sound-1.wav"), Path("new/sound-2.wav")]
    with pytest.raises(TargetError, match=r"a\.wav exists and is kept"):
        numbered(str(recordings[0]), 1, SOUND_FILES)
    Path("x-2.wav").touch()
    with pytest.raises(TargetError, match=r"x-2\.wav exists"):
        numbered("x.wav", 2, SOUND_FILES)
    assert len(numbered("x.wav", 2, SOUND_FILES, force=True)) == 2
    with pytest.raises(TargetError, match="Standard output takes one file"):
        numbered("-", 2, SOUND_FILES)
