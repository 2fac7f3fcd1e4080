"""Tar shards of a corpus that is being prepared: the folder is one preparation's own, and whole shards stay.

Every source writes the same: `<split>-00000.tar` and so on, of pairs `<key>.<suffix>` and `<key>.json`.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from makesomenoise.errors import DataError
from makesomenoise.files import atomic_write, make_folder, write_text

_SHARD_CLIPS = 512
_RECORD = ".prepared.json"


class ShardError(DataError):
    """A folder that cannot take a preparation; the message is one sentence for the user."""


@dataclass(frozen=True)
class PreparedClip:
    """A clip to be written.

    Attributes:
        key: unique in its split; without dots and slashes.
        data: the bytes of its sound file.
        suffix: of that file, such as `.flac`.
        record: what is known of it, see `Clip`.
    """

    key: str
    data: bytes
    suffix: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Held:
    """Which clips go to the valid split of a set that has none of its own.

    Attributes:
        folds: all clips of these folds.
        share: of the groups (or clips, where there are none), chosen by their names alone.
    """

    folds: tuple[str, ...] = ()
    share: float = 0.0

    def split(self, fold: str, group: str, usual: str) -> str:
        """The split of a clip: `valid`, or the usual one."""
        digits = int(hashlib.sha256(group.encode("utf-8", "surrogateescape")).hexdigest()[:8], 16)
        return "valid" if fold in self.folds or digits / 2**32 < self.share else usual


@dataclass(frozen=True)
class Prepared:
    """What a preparation came to.

    Attributes:
        clips: number of clips of each split.
        captions: number of captions.
        shards: number of tar shards.
        without_sound: rows that hold none, by key.
    """

    clips: dict[str, int]
    captions: int
    shards: int
    without_sound: tuple[str, ...]


class TarShards:
    """The shards of a split; those that are there already stay as they are.

    Args:
        folder: is there.
        split: the shards are named after it.

    Attributes:
        count: number of clips so far.
    """

    def __init__(self, folder: Path, split: str):
        self._folder, self._split = folder, split
        self._waiting: list[PreparedClip] = []
        self._shards = self.count = 0

    def add(self, clip: PreparedClip) -> None:
        """One more clip, in the order in which they are read again."""
        self._waiting.append(clip)
        self.count += 1
        if len(self._waiting) == _SHARD_CLIPS:
            self._write()

    def close(self) -> int:
        """Writes the rest; gives the number of shards."""
        if self._waiting:
            self._write()
        return self._shards

    def _write(self) -> None:
        target = self._folder / f"{self._split}-{self._shards:05d}.tar"
        if not target.exists():
            with atomic_write(target) as temporary, tarfile.open(temporary, "w") as tar:
                for clip in self._waiting:
                    add_bytes(tar, clip.key + clip.suffix, clip.data)
                    add_bytes(tar, f"{clip.key}.json", json.dumps(clip.record).encode())
        self._waiting = []
        self._shards += 1


class SplitShards:
    """The shards of all splits of a preparation.

    Args:
        folder: is there.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._splits: dict[str, TarShards] = {}

    def add(self, split: str, clip: PreparedClip) -> None:
        """One more clip of a split, which its record then tells; order as in `TarShards.add`."""
        shards = self._splits.setdefault(split, TarShards(self._folder, split))
        shards.add(replace(clip, record={**clip.record, "split": split}))

    def close(self, captions: int = 0, without_sound: Sequence[str] = ()) -> Prepared:
        """Writes the rest, and tells what the preparation came to; arguments are those of `Prepared`."""
        number = sum(shards.close() for shards in self._splits.values())
        counts = {split: shards.count for split, shards in self._splits.items()}
        return Prepared(counts, captions, number, tuple(without_sound))


def safe_key(text: str) -> str:
    """A text as a key in shards: a dot would end the key in a tar, a slash would be a folder."""
    return re.sub(r"[^\w\-]+", "_", text)


def claim(output: Path, split: str, settings: dict[str, Any]) -> None:
    """Makes a folder this preparation's own.

    Args:
        output: made if missing.
        split: that is prepared; several may lie in one folder.
        settings: of the preparation; the same again is welcome.

    Raises:
        ShardError: if it holds shards of something else, or of other settings.
        FileError: if it cannot be written.
    """
    record, text = output / _RECORD, json.dumps({**settings, "split": split}, sort_keys=True)
    splits = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    if not record.exists() and output.is_dir() and any(output.glob("*.tar")):
        raise ShardError(f"{output} holds shards of something else: give a folder that is new or empty.")
    if splits.get(split, text) != text:
        raise ShardError(f"{output} holds the split '{split}' prepared with other settings: give an empty folder.")
    make_folder(output)
    write_text(record, json.dumps({**splits, split: text}))


def add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a member to a tar, the same bytes for the same content."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def encoded(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A waveform [S] in [-1, 1] as the bytes of a FLAC file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
