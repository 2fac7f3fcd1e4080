"""A clip at which processes die is left out and named, at the third time and not before; what was noted goes."""

from pathlib import Path

from makesomenoise.data.attempts import MOST_DEATHS, Attempts, attempts_file
from makesomenoise.data.codes import read_codes
from makesomenoise.data.encode import encode_corpus


def test_deaths_are_counted_by_clip(tmp_path: Path):
    target = tmp_path / "a-000.parquet"
    for clip in (4, 4, 2, 4):
        attempts = Attempts(target)
        assert not attempts.is_fatal(4)
        attempts.begin(1)
        attempts.begin(clip)  # and the process dies
    attempts = Attempts(target)
    assert [number for number in range(6) if attempts.is_fatal(number)] == [4]
    attempts.end()
    assert list(tmp_path.iterdir()) == []
    assert not Attempts(target).is_fatal(4)


def test_a_note_that_was_cut_off_counts_nothing(tmp_path: Path):
    attempts_file(tmp_path / "a-000.parquet").write_text('{"at": 3, "dea')
    assert not Attempts(tmp_path / "a-000.parquet").is_fatal(3)


def test_a_clip_that_kills_its_reader_is_left_out_and_named(
    sounds: Path, tiny_tokenizers: tuple[Path, Path], tmp_path: Path
):
    whole, codes = tmp_path / "whole", tmp_path / "codes"
    encode_corpus([sounds / "dog", sounds / "cat"], whole, tiny_tokenizers[0])
    codes.mkdir()
    for _ in range(MOST_DEATHS):
        Attempts(codes / "dog-000.parquet").begin(0)
    Attempts(codes / "cat-000.parquet").begin(0)  # once is forgiven
    done = encode_corpus([sounds / "dog", sounds / "cat"], codes, tiny_tokenizers[0])
    (failure,) = done.failed
    assert failure.id == "dog/dog"
    assert "died 3 times" in failure.reason
    assert read_codes(codes) == [clip for clip in read_codes(whole) if clip.key == "cat"]
    assert {path.name for path in codes.iterdir()} == {"cat-000.parquet", "dog-000.parquet", "failed.jsonl"}
