"""`msn data encode`: sound becomes shards, mistakes become one sentence."""

from pathlib import Path

import pytest

from makesomenoise.audio import io


@pytest.fixture
def folder(tmp_path: Path, tone) -> Path:
    for label, hz in (("dog", 400.0), ("rain", 200.0), ("siren", 800.0)):
        (tmp_path / "in" / label).mkdir(parents=True)
        io.save(tmp_path / "in" / label / "a.wav", 0.5 * tone(4.0, hz))
    return tmp_path / "in"


def test_it_explains_itself(msn):
    result = msn("data", "encode", "--help")
    assert result.exit_code == 0
    assert "data encode [OPTIONS]" in result.stdout


def test_a_folder_becomes_shards_and_a_second_call_does_nothing(msn, models, folder: Path, tmp_path: Path):
    from makesomenoise.data.codes import read_codes

    arguments = ("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    result = msn(*arguments)
    assert result.exit_code == 0, result.output
    assert "3 clips (0.00 h) encoded, 0 there before" in result.stdout
    assert [len(clip.codes) for clip in read_codes(tmp_path / "out")] == [94, 94, 94]
    assert "0 clips (0.00 h) encoded, 3 there before" in msn(*arguments).stdout


def test_several_sources_and_scenes(msn, models, folder: Path, tmp_path: Path):
    from makesomenoise.data.codes import read_codes

    options = (
        "--model",
        models.ours,
        "--workers",
        1,
        "--scenes",
        2,
        "--pairs",
        3,
        "--copies",
        1,
        "--seed",
        5,
        "--cache",
        tmp_path / "cache",
    )
    result = msn("data", "encode", folder, folder / "dog", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "12 clips" in result.stdout
    assert sum(bool(clip.events) for clip in read_codes(tmp_path / "out")) == 2 + 3
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_encoded(msn, models, folder: Path, tmp_path: Path):
    (folder / "dog" / "bad.wav").write_text("words")
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "3 clips" in result.stdout
    assert "msn: Clip dog/bad" in result.stderr


def test_mistakes_are_one_sentence(msn, models, folder: Path, tmp_path: Path):
    result = msn("data", "encode", tmp_path / "missing", tmp_path / "out", "--model", models.ours)
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.baseline, "--workers", 1)
    assert result.exit_code == 2
    assert "holds codes of the tokenizer" in result.stderr
    assert "Traceback" not in result.stderr
