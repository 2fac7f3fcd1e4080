"""Split, captions and licence are found in shards and beside files, and are empty where nobody wrote them."""

import io as buffers
import json
import tarfile
from pathlib import Path

from makesomenoise.audio import io
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.records import recorded

RECORD = {"label": "dog", "split": "valid", "captions": ["A dog barks."], "license": "CC0"}


def test_records_beside_files(tmp_path: Path, tone):
    for name in ("a", "b"):
        io.save(tmp_path / f"{name}.wav", tone(0.1))
    (tmp_path / "a.json").write_text(json.dumps(RECORD))
    with_record, without = recorded(read_clips([tmp_path]))
    assert (with_record.split, with_record.captions, with_record.license) == ("valid", ("A dog barks.",), "CC0")
    assert (without.split, without.captions, without.license) == ("", (), "")


def test_records_in_a_shard(tmp_path: Path, tone):
    io.save(tmp_path / "a.wav", tone(0.1))
    members = {"a.wav": (tmp_path / "a.wav").read_bytes(), "a.json": json.dumps(RECORD | {"captions": None}).encode()}
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, buffers.BytesIO(data))
    (item,) = recorded(read_clips([tmp_path / "x.tar"]))
    assert (item.clip.label, item.split, item.captions, item.license) == ("dog", "valid", (), "CC0")
