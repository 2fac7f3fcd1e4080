"""What the record of a clip says beyond where it is and what it is called: its split, its captions and its licence."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.data.manifest import Clip


@dataclass(frozen=True)
class Recorded:
    """A clip with all of its record.

    Attributes:
        clip: where it is and what it is called.
        split: train or valid, or empty.
        captions: whole sentences about it.
        license: what its source allows, or empty.
    """

    clip: Clip
    split: str = ""
    captions: tuple[str, ...] = ()
    license: str = ""


def recorded(clips: Sequence[Clip]) -> list[Recorded]:
    """The clips with what their records add, in the same order."""
    shards = {path: _of_shard(path) for path in {clip.path for clip in clips} if path.suffix == ".tar"}
    return [
        _joined(clip, shards[clip.path].get(clip.key, {}) if clip.path in shards else _of(clip.path)) for clip in clips
    ]


def _joined(clip: Clip, record: dict) -> Recorded:
    captions = tuple(str(text) for text in record.get("captions") or ())
    return Recorded(clip, str(record.get("split") or ""), captions, str(record.get("license") or ""))


def _of(path: Path) -> dict:
    sidecar = path.with_suffix(".json")
    return json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.exists() else {}


def _of_shard(shard: Path) -> dict[str, dict]:
    records = {}
    with tarfile.open(shard, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                records[member.name.removesuffix(".json")] = json.load(file)
    return records
