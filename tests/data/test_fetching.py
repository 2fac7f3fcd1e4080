"""Sources at addresses and in Parquet files give the codes of the sounds in them, and are brought once."""

import json
import tarfile
from io import BytesIO
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makesomenoise.data import fetching
from makesomenoise.data.codes import CodeClip, read_codes, read_stamp
from makesomenoise.data.encode import encode_corpus
from makesomenoise.data.fetching import AddressError
from makesomenoise.data.manifest import ManifestError


@pytest.fixture
def model(tiny_tokenizers: tuple[Path, Path]) -> Path:
    return tiny_tokenizers[0]


def tar_of(folder: Path, record: dict) -> bytes:
    """A WebDataset shard of the sounds of a folder."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(folder.rglob("*.flac")):
            for name, data in ((path.name, path.read_bytes()), (f"{path.stem}.json", json.dumps(record).encode())):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, BytesIO(data))
    return buffer.getvalue()


def content(clips: list[CodeClip]) -> dict[str, tuple[int, ...]]:
    return {clip.key: clip.codes for clip in clips}


@pytest.fixture
def address(sounds: Path) -> str:
    fs = fsspec.filesystem("memory")
    fs.pipe("/corpus/a.tar", tar_of(sounds, {"label": "noise", "license": "CC0"}))
    fs.pipe("/corpus/loose/dog.flac", (sounds / "dog" / "dog.flac").read_bytes())
    yield "memory://corpus"
    fs.rm("/corpus", recursive=True)


def test_an_address_gives_what_the_folder_gives_and_is_brought_once(
    address: str, sounds: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encode_corpus([sounds], tmp_path / "here", model)
    done = encode_corpus([f"{address}/a.tar"], tmp_path / "there", model)
    there = read_codes(tmp_path / "there")
    assert (done.clips, done.kept) == (7, 0)
    assert content(there) == {key.split("/")[1]: codes for key, codes in content(read_codes(tmp_path / "here")).items()}
    assert {(clip.label, clip.license) for clip in there} == {("noise", "CC0")}
    assert read_stamp(tmp_path / "there").source == "memory:///corpus/a.tar"
    monkeypatch.setattr(fetching, "_brought", lambda *_: pytest.fail("it was brought again"))
    again = encode_corpus([f"{address}/*.tar"], tmp_path / "there", model)
    assert (again.clips, again.kept) == (0, 7)


def test_what_changed_elsewhere_is_brought_again(address: str, sounds: Path, model: Path, tmp_path: Path):
    encode_corpus([f"{address}/a.tar"], tmp_path / "out", model)
    fsspec.filesystem("memory").pipe("/corpus/a.tar", tar_of(sounds / "dog", {"label": "dog"}))
    assert encode_corpus([f"{address}/a.tar"], tmp_path / "out", model).clips == 1
    assert [clip.key for clip in read_codes(tmp_path / "out")] == ["dog"]


def test_a_folder_of_sounds_is_brought_whole(address: str, model: Path, tmp_path: Path):
    assert encode_corpus([f"{address}/loose"], tmp_path / "out", model).clips == 1
    assert [clip.key for clip in read_codes(tmp_path / "out")] == ["dog"]


def test_a_shard_that_cannot_be_read_is_named_and_the_others_are_encoded(
    address: str, sounds: Path, model: Path, tmp_path: Path
):
    fsspec.filesystem("memory").pipe("/corpus/b.tar", b"no tar at all" * 1000)
    (tmp_path / "c.tar").write_bytes(b"nor is this" * 1000)
    whole = tar_of(sounds, {"label": "noise"})
    (tmp_path / "d.tar").write_bytes(whole[: len(whole) // 2])
    sources = [address, tmp_path / "c.tar", tmp_path / "d.tar"]
    done = encode_corpus(sources, tmp_path / "out", model)
    assert {failure.id for failure in done.failed} >= {"b", "c", "d"}
    assert {one.id.partition("/")[0] for one in done.failed} == {"b", "c", "d"}
    assert done.clips >= 7
    again = encode_corpus(sources, tmp_path / "out", model)
    assert again.clips == 0
    assert set(again.failed) == set(done.failed)
    one = encode_corpus([f"{address}/a.tar"], tmp_path / "out", model)  # what others found stays named
    assert {failure.id for failure in one.failed} >= {"b", "c", "d"}


def test_parquet_of_the_hub_is_read_with_names_of_classes(sounds: Path, model: Path, tmp_path: Path):
    encode_corpus([sounds], tmp_path / "here", model)
    wanted = content(read_codes(tmp_path / "here"))
    rows = [
        {"audio": {"bytes": (sounds / name / f"{name}.flac").read_bytes(), "path": f"{name}.flac"}, "label": number}
        for number, name in enumerate(("dog", "rain"))
    ]
    features = {"features": {"label": {"names": ["dog", "rain"], "_type": "ClassLabel"}}}
    schema = pa.table({"label": [0]}).schema.with_metadata({"huggingface": json.dumps({"info": features})})
    table = pa.Table.from_pylist([{**row, "caption": "A sound."} for row in rows])
    (tmp_path / "hub").mkdir()
    pq.write_table(table.replace_schema_metadata(schema.metadata), tmp_path / "hub" / "train-00000.parquet")
    assert encode_corpus([tmp_path / "hub"], tmp_path / "out", model).clips == 2
    clips = read_codes(tmp_path / "out")
    assert [(clip.key, clip.label, clip.captions) for clip in clips] == [
        ("000000-dog", "dog", ("A sound.",)),
        ("000001-rain", "rain", ("A sound.",)),
    ]
    assert [clip.codes for clip in clips] == [wanted["dog/dog"], wanted["rain/rain"]]


def test_what_holds_no_sounds_is_one_sentence(sounds: Path, model: Path, tmp_path: Path):
    encode_corpus([sounds / "dog"], tmp_path / "codes", model)
    for source in (tmp_path / "codes", tmp_path / "codes" / "dog-000.parquet"):
        with pytest.raises(ManifestError, match=r"holds codes of the tokenizer [0-9a-f]{16} already"):
            encode_corpus([sounds / "cat", source], tmp_path / "out", model)
    assert not (tmp_path / "out").exists()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    assert "no column of sounds" in encode_corpus([tmp_path / "x.parquet"], tmp_path / "o2", model).failed[0].reason
    with pytest.raises(ManifestError, match="does not exist"):
        encode_corpus([tmp_path / "missing.parquet"], tmp_path / "o3", model)
    with pytest.raises(AddressError, match="There is nothing at"):
        encode_corpus(["memory://nowhere"], tmp_path / "o4", model)
