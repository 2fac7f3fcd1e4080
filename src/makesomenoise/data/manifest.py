"""What a corpus holds: one `Clip` record per item, from WebDataset tar shards or from a folder; decodes nothing.

A shard is a tar whose members come in pairs `<key>.<audio extension>` and `<key>.json`. A folder is searched for sound
files; a `<name>.json` beside one is its record, and without it the name of the parent folder is the label.
"""

import json
import logging
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.errors import DataError
from makesomenoise.files import as_text

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"}
_TEXTS = ("dataset", "split", "fold", "kind", "label", "title", "license")

_log = logging.getLogger(__name__)


class ManifestError(DataError):
    """A corpus that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Clip:
    """One item of a dataset: where its bytes are, and what is known of it.

    Attributes:
        key: unique name within its corpus.
        path: the shard or the sound file.
        offset: first byte in `path`.
        size: number of bytes.
        dataset: name of the collection it comes from.
        fold: the fold within that collection, or empty.
        kind: coarse kind (sfx, animal, instrument, ...), or empty.
        label: short English name, or empty.
        title: a freer description, or empty.
        seconds: length by the record, 0 where unknown.
        split: train or valid, or empty.
        captions: whole sentences about it.
        license: what its source allows, or empty.
    """

    key: str
    path: Path
    offset: int
    size: int
    dataset: str = ""
    fold: str = ""
    kind: str = ""
    label: str = ""
    title: str = ""
    seconds: float = 0.0
    split: str = ""
    captions: tuple[str, ...] = ()
    license: str = ""

    def read(self) -> bytes:
        """The encoded bytes of the sound file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def read_clips(paths: Iterable[str | Path]) -> list[Clip]:
    """Lists the clips of shards (`*.tar`) and folders, in a stable order; a `*` in a last part stands for any letters.

    Raises:
        ManifestError: if a path does not exist or if nothing is found.
    """
    clips: list[Clip] = []
    for path in (match for given in paths for match in _matches(Path(given))):
        if not path.exists():
            raise ManifestError(f"The corpus path {path} does not exist; give tar shards or folders of sound files.")
        clips += _read_folder(path) if path.is_dir() else _read_shard(path)
    if not clips:
        raise ManifestError(f"No sound files found in {', '.join(map(str, paths))}; expected tar shards or folders.")
    return clips


def _matches(path: Path) -> list[Path]:
    return (sorted(path.parent.glob(path.name)) if "*" in path.name else []) or [path]


def _read_folder(folder: Path) -> list[Clip]:
    shards = sorted(folder.glob("*.tar"))
    if shards:
        return [clip for shard in shards for clip in _read_shard(shard)]
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    return [_file_clip(folder, file) for file in files]


def _file_clip(folder: Path, file: Path) -> Clip:
    sidecar = file.with_suffix(".json")
    parent = file.parent.name.replace("_", " ") if file.parent != folder else ""
    record = _record(sidecar.read_bytes(), str(sidecar)) if sidecar.exists() else {"label": parent}
    key = str(file.relative_to(folder).with_suffix(""))
    return _clip(key, file, 0, file.stat().st_size, {"dataset": folder.name, **record})


def _read_shard(shard: Path) -> list[Clip]:
    sounds: dict[str, tarfile.TarInfo] = {}
    records: dict[str, dict] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                stem, dot, suffix = member.name.rpartition(".")
                if dot + suffix.lower() in AUDIO_SUFFIXES:
                    sounds[stem] = member
                elif suffix == "json" and (file := tar.extractfile(member)):
                    records[stem] = _record(file.read(), f"{member.name} in {shard}")
    except (tarfile.TarError, OSError) as error:
        raise ManifestError(f"{shard} is not a readable WebDataset tar shard ({error}).") from None
    return [_clip(key, shard, m.offset_data, m.size, records.get(key, {})) for key, m in sounds.items()]


def _record(data: bytes, place: str) -> dict:
    try:
        record = json.loads(data)
    except (json.JSONDecodeError, UnicodeDecodeError):
        record = None
    if not isinstance(record, dict):
        raise ManifestError(f'The record {place} is not a JSON object: expected one such as {{"label": "dog"}}.')
    return record


def _clip(key: str, path: Path, offset: int, size: int, record: dict) -> Clip:
    text = {name: as_text(str(record.get(name) or "")) for name in _TEXTS}
    captions = record.get("captions") or ()
    captions = (captions,) if isinstance(captions, str) else tuple(map(str, captions))
    captions = tuple(map(as_text, captions))
    return Clip(
        as_text(key), path, offset, size, seconds=float(record.get("seconds") or 0.0), captions=captions, **text
    )
