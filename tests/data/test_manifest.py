"""Shards and folders become the same records, in a stable order; what cannot be read is one sentence."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from makesomenoise.data.manifest import Clip, ManifestError, read_clips

RECORD = {"dataset": "d", "fold": 3, "kind": "sfx", "label": "dog", "title": None, "seconds": 1.5, "license": "CC0"}
RECORD |= {"split": "valid", "captions": ["A dog barks."]}


def shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_shard_gives_records_and_bytes(tmp_path: Path):
    members = {"b.opus": b"second", "b.json": json.dumps(RECORD).encode(), "a.wav": b"first", "notes.txt": b"no sound"}
    clips = read_clips([shard(tmp_path / "train.tar", members)])
    assert [clip.key for clip in clips] == ["b", "a"]
    assert [clip.read() for clip in clips] == [b"second", b"first"]
    first = clips[0]
    assert (first.dataset, first.fold, first.kind, first.label, first.title) == ("d", "3", "sfx", "dog", "")
    assert (first.seconds, first.split, first.captions, first.license) == (1.5, "valid", ("A dog barks.",), "CC0")
    last = clips[1]
    assert (last.label, last.seconds, last.split, last.captions, last.license) == ("", 0.0, "", (), "")


def test_a_star_stands_for_several_shards_in_order(tmp_path: Path):
    for name in ("train-1", "valid-0", "train-0"):
        shard(tmp_path / f"{name}.tar", {f"{name}.wav": b"sound"})
    assert [clip.key for clip in read_clips([tmp_path / "train-*.tar"])] == ["train-0", "train-1"]
    with pytest.raises(ManifestError, match=r"test-\*.tar does not exist"):
        read_clips([tmp_path / "test-*.tar"])


def test_keys_may_hold_dots_and_folders(tmp_path: Path):
    members = {"x/1.5-a.ogg": b"sound", "x/1.5-a.json": json.dumps({"label": "rain"}).encode()}
    (clip,) = read_clips([shard(tmp_path / "s.tar", members)])
    assert (clip.key, clip.label) == ("x/1.5-a", "rain")


def test_a_folder_takes_labels_from_sidecars_and_from_folder_names(tmp_path: Path):
    for name in ("siren/b.wav", "siren/a.FLAC", "top.mp3", "siren/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    record = {"label": "ambulance", "seconds": 2, "split": "train", "captions": "A siren wails.", "license": None}
    (tmp_path / "siren" / "b.json").write_text(json.dumps(record))
    clips = read_clips([tmp_path])
    assert [(clip.key, clip.label) for clip in clips] == [("siren/a", "siren"), ("siren/b", "ambulance"), ("top", "")]
    assert clips[0].read() == b"siren/a.FLAC"
    assert (clips[1].split, clips[1].captions, clips[1].license) == ("train", ("A siren wails.",), "")
    assert {clip.dataset for clip in clips} == {tmp_path.name}


def test_a_folder_of_shards_is_read_as_shards(tmp_path: Path):
    for name in ("b", "a"):
        shard(tmp_path / f"{name}.tar", {f"{name}.wav": b"x"})
    assert [clip.key for clip in read_clips([tmp_path])] == ["a", "b"]


def test_a_clip_reads_only_its_own_bytes(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"0123456789")
    assert Clip("k", tmp_path / "file", offset=3, size=4).read() == b"3456"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.tar", None, "does not exist"),
        ("noise.tar", b"not a tar at all" * 100, "is not a readable WebDataset tar shard"),
        ("empty.tar", bytes(10_240), "No sound files found"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(name: str, content: bytes | None, message: str, tmp_path: Path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match=message) as caught:
        read_clips([path])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("record", [b"{", b"[]", b"\xff"])
def test_a_record_that_is_no_json_object_is_named(record: bytes, tmp_path: Path):
    path = shard(tmp_path / "s.tar", {"a.wav": b"x", "a.json": record})
    with pytest.raises(ManifestError, match=r"a\.json in .*s\.tar is not a JSON object"):
        read_clips([path])
    path.unlink()
    (tmp_path / "b.wav").write_bytes(b"x")
    (tmp_path / "b.json").write_bytes(record)
    with pytest.raises(ManifestError, match=r"b\.json is not a JSON object"):
        read_clips([tmp_path])
