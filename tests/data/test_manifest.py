"""Shards and folders become the same records, in a stable order; what cannot be read is one sentence."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from makesomenoise.data.manifest import Clip, ManifestError, read_clips, read_training_clips

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


@pytest.mark.parametrize(("split", "learned"), [("", True), ("train", True), ("valid", False), ("unseen", False)])
def test_nothing_is_learned_from_a_split_that_is_there_to_evaluate(split: str, learned: bool, tmp_path: Path):
    record = json.dumps(RECORD | {"split": split}).encode()
    path = shard(tmp_path / "a.tar", {"a.wav": b"first", "a.json": record, "b.wav": b"second"})
    if learned:
        assert len(read_training_clips([path])) == 2
    else:
        with pytest.raises(ManifestError, match=f"1 clips to train on are marked as '{split}'"):
            read_training_clips([path])


def test_a_star_stands_for_several_shards_in_order(tmp_path: Path):
    for name in ("train-1", "valid-0", "train-0"):
        shard(tmp_path / f"{name}.tar", {f"{name}.wav": b"sound"})
    assert [clip.key for clip in read_clips([tmp_path / "train-*.tar"])] == ["train-0", "train-1"]
    with pytest.raises(ManifestError, match=r"test-\*.tar does not exist"):
        read_clips([tmp_path / "test-*.tar"])


def test_a_key_ends_at_the_first_dot_as_webdataset_has_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    members = {"x.y/a.seg.wav": b"sound", "x.y/a.json": json.dumps({"label": "rain"}).encode()}
    (clip,) = read_clips([shard(tmp_path / "s.tar", members)])
    assert (clip.key, clip.label) == ("x.y/a", "rain")
    assert caplog.text == ""


def test_names_that_differ_behind_the_first_dot_keep_their_records_apart(tmp_path: Path):
    names = ("1.5-a", "1.6-a")
    members = {f"{name}.{kind}": json.dumps({"label": name}).encode() for name in names for kind in ("ogg", "json")}
    members |= {"b.wav": b"x", "b.flac": b"y", "b.json": b'{"label": "b"}'}
    clips = read_clips([shard(tmp_path / "s.tar", members)])
    assert [(clip.key, clip.label) for clip in clips] == [*((n, n) for n in names), ("b.wav", "b"), ("b.flac", "b")]


def test_a_name_that_is_twice_in_a_shard_is_said_and_the_last_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for data in (b"first", b"other"):
            info = tarfile.TarInfo("z.wav")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (clip,) = read_clips([tmp_path / "s.tar"])
    assert clip.read() == b"other"
    assert "1 twice in its shard, of which the last is used, as tar does (z.wav in" in caplog.text


def test_what_is_left_out_is_counted_and_named_and_hidden_files_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    names = ("a/b.M4A", "a/b.webm", "a/c.caf", "a/._b.wav", ".git/d.wav", "__MACOSX/a/b.wav", "a/notes.txt", "a/x.pdf")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    assert [clip.key for clip in read_clips([tmp_path])] == ["a/b.M4A", "a/b.webm", "a/c"]
    (line,) = caplog.messages
    assert line.startswith("2 skipped: no suffix of a sound file (")
    assert "notes.txt" in line
    caplog.clear()
    members = dict.fromkeys((*names, "lone.json"), b"x") | {"lone.json": b"{}"}
    assert len(read_clips([shard(tmp_path / "s.tar", members)])) == 3
    assert [message.split(" (")[0] for message in caplog.messages] == [
        "2 skipped: no suffix of a sound file",
        "1 skipped: a record without its sound",
        "3 without a label: there is no record",
    ]
    caplog.clear()
    assert len(read_clips([tmp_path])) == 3
    assert "3 skipped: they lie beside tar shards" in caplog.text


def test_a_link_in_a_shard_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        info = tarfile.TarInfo("a.wav")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ManifestError, match="No sound files found"):
        read_clips([tmp_path / "s.tar"])
    assert "1 skipped: a shard holds them as a link" in caplog.text


def test_a_shard_that_is_cut_off_gives_what_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = shard(tmp_path / "s.tar", {f"{name}.wav": b"x" * 2000 for name in "abc"})
    path.write_bytes(path.read_bytes()[:4000])
    assert read_clips([path])[0].key == "a"
    assert "what is there is used" in caplog.text


def test_a_clip_that_is_given_twice_is_there_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = shard(tmp_path / "s.tar", {"a.wav": b"x", "a.json": b"{}"})
    assert len(read_clips([path, path])) == 1
    assert "1 clips are skipped: they were given twice." in caplog.text
    (tmp_path / "b.wav").write_bytes(b"x")
    assert [clip.key for clip in read_clips([tmp_path / "b.wav"])] == ["b"]


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


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"seconds": "long"}, '"long" as "seconds", expected a number, 0 or above'),
        ({"seconds": float("nan")}, "expected a number"),
        ({"seconds": -1}, "expected a number"),
        ({"label": ["dog"]}, r'\["dog"\] as "label", expected a text'),
        ({"label": True}, "expected a text"),
        ({"captions": 3}, '3 as "captions", expected a list of texts'),
        ({"captions": ["a", None]}, "expected a list of texts"),
    ],
)
def test_a_wrong_field_of_a_record_is_named_with_shard_and_member(record: dict, message: str, tmp_path: Path):
    path = shard(tmp_path / "s.tar", {"a.wav": b"x", "a.json": json.dumps(record).encode()})
    with pytest.raises(ManifestError, match=rf"The record a\.json in .*s\.tar has .*{message}"):
        read_clips([path])


def test_numbers_are_taken_for_texts_and_texts_for_numbers_where_they_are_some(tmp_path: Path):
    record = {"fold": 0, "label": 1812, "seconds": "2.5", "captions": ""}
    (clip,) = read_clips([shard(tmp_path / "s.tar", {"a.wav": b"x", "a.json": json.dumps(record).encode()})])
    assert (clip.fold, clip.label, clip.seconds, clip.captions) == ("0", "1812", 2.5, ())
