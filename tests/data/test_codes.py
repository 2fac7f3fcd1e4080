"""Shards come back as they were written, and only to whoever has the tokenizer that made them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makesomenoise.data.codes import (
    CodeClip,
    CodeClips,
    CodesError,
    Provenance,
    Stamp,
    read_codes,
    read_stamp,
    write_codes,
)
from makesomenoise.data.ontology import Name, Ontology

STAMP = Stamp("0123456789abcdef", 1024, 23.4375)
CLIP = CodeClip(
    "a-1",
    (0, 1023, 5),
    0.128,
    (0.0, 0.1),
    dataset="esc50",
    split="train",
    fold="3",
    kind="animal",
    label="dog",
    title="A dog",
    captions=("One.", "Two."),
    license="CC0",
)


def test_clips_come_back_as_they_were_written(scene: CodeClip, tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP, scene], STAMP)
    assert list(read_codes(tmp_path / "a.parquet", fingerprint=STAMP.fingerprint)) == [CLIP, scene]
    assert read_stamp(tmp_path) == STAMP


def test_the_columns_of_a_shard_and_their_order_are_its_format(tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP], STAMP)
    expected = "key codes seconds sounding dataset split fold kind label title captions license events trust provenance"
    assert pq.read_schema(tmp_path / "a.parquet").names == expected.split()


def test_what_is_chosen_is_a_view(scene: CodeClip, tmp_path: Path):
    made = replace(scene, provenance=Provenance("scenes", 3, 7))
    many = [replace(CLIP, key=str(number)) for number in range(3000)]
    for number in range(3):
        write_codes(tmp_path / f"{number}.parquet", [*many[number * 1000 : number * 1000 + 1000], made], STAMP)
    clips = read_codes(tmp_path)
    assert len(clips) == 3003
    single = clips.where(clips.column("events") == 0)
    assert list(single) == many
    assert single[1500] == many[1500]
    assert single[-1] == many[-1]
    assert list(single[10:2500:7]) == many[10:2500:7]
    assert clips[1000].provenance == made.provenance
    assert list(clips.where(np.array([1000, 0]))) == [made, many[0]]
    assert single.column("label").tolist() == ["dog"] * 3000
    assert clips.column("seconds")[1000] == scene.seconds
    assert {name.name for name in single.names() if name is not None} == {"dog"}
    assert list(CodeClips.of(many)) == many
    assert list(clips[:0]) == []


def test_shards_of_before_have_the_usual_trust(tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP, replace(CLIP, dataset="debian", trust="")], STAMP)
    table = pq.read_table(tmp_path / "a.parquet").drop_columns(["trust", "provenance"])
    pq.write_table(table, tmp_path / "a.parquet")
    assert [clip.trust for clip in read_codes(tmp_path)] == ["exact", "rough"]


def test_names_follow_the_ontology(tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP], STAMP)
    hound = Name("hound", "a hound baying", "a hound bays", "hound", counted=True)
    (clip,) = read_codes(tmp_path, ontology=Ontology([(hound, ["dog"])]))
    assert clip.name == hound


def test_codes_are_mapped_not_held(tmp_path: Path):
    for number in range(8):
        clips = [replace(CLIP, key=f"{number}-{n}", codes=tuple(range(1000))) for n in range(1000)]
        write_codes(tmp_path / f"{number}.parquet", clips, STAMP)
    before = pa.total_allocated_bytes()
    clips = read_codes(tmp_path)
    assert pa.total_allocated_bytes() - before < 1_000_000  # of 16 MB of codes
    assert clips[7999].codes == tuple(range(1000))


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path):
    for name in ("b", "c", "a"):
        write_codes(tmp_path / f"{name}.parquet", [replace(CLIP, key=name)], STAMP)
    write_codes(tmp_path / "d.parquet", [], STAMP)
    assert [clip.key for clip in read_codes(tmp_path)] == ["a", "b", "c"]


def test_codes_of_another_tokenizer_are_refused(tmp_path: Path):
    write_codes(tmp_path / "a.parquet", [CLIP], STAMP)
    with pytest.raises(CodesError, match="holds codes of the tokenizer 0123456789abcdef, and ffff is expected"):
        read_codes(tmp_path, fingerprint="ffff")
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
