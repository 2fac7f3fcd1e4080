"""Shards come back as they were written, and only to whoever has the tokenizer that made them."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makesomenoise.data.codes import CodeClip, CodesError, Stamp, read_codes, read_stamp, write_codes

STAMP = Stamp("0123456789abcdef", 1024, 23.4375)
CLIP = CodeClip(
    "a-1", (0, 1023, 5), 0.128, (0.0, 0.1), "esc50", "train", "3", "animal", "dog", "A dog", ("One.", "Two."), "CC0"
)


def test_clips_come_back_as_they_were_written(scene: CodeClip, tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP, scene], STAMP)
    assert read_codes(tmp_path / "a.parquet", STAMP.fingerprint) == [CLIP, scene]
    assert read_stamp(tmp_path) == STAMP


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path):
    for name in ("b", "c", "a"):
        write_codes(tmp_path / f"{name}.parquet", [replace(CLIP, key=name)], STAMP)
    write_codes(tmp_path / "d.parquet", [], STAMP)
    assert [clip.key for clip in read_codes(tmp_path)] == ["a", "b", "c"]


def test_codes_of_another_tokenizer_are_refused(tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP], STAMP)
    with pytest.raises(CodesError, match="holds codes of the tokenizer 0123456789abcdef, and ffff is expected"):
        read_codes(tmp_path, "ffff")
    write_codes(tmp_path / "b.parquet", [CLIP], replace(STAMP, fingerprint="ffff"))
    with pytest.raises(CodesError, match=r"b\.parquet holds codes of the tokenizer ffff"):
        read_codes(tmp_path)


def test_a_code_outside_the_codebook_is_not_written(tmp_path: Path):
    with pytest.raises(CodesError, match=r"Clip a-1 holds the code 1024, outside \[0, 1024\)"):
        write_codes(tmp_path / "a.parquet", [replace(CLIP, codes=(1024,))], STAMP)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_code_shard_is_refused(tmp_path: Path):
    with pytest.raises(CodesError, match="No code shards"):
        read_codes(tmp_path)
    with pytest.raises(CodesError, match="No code shards"):
        read_codes(tmp_path / "missing.parquet")
    (tmp_path / "words.parquet").write_text("just words")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "table.parquet")
    for name in ("words", "table"):
        with pytest.raises(CodesError, match="is not a code shard"):
            read_codes(tmp_path / f"{name}.parquet")
