"""Parquet files of sounds, as the Hugging Face Hub has them, to WebDataset tars; decodes no sound.

A row has its sound as bytes, or as a struct of bytes and path; columns that are named like the fields of a record are
its record. Numbers of classes become their names where the file knows them.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.data.codes import CodesError, read_stamp
from makesomenoise.data.manifest import TEXTS, ManifestError
from makesomenoise.data.tar_shards import add_bytes
from makesomenoise.files import atomic_write

_KEYS = ("key", "__key__", "id", "clip_id", "file_name", "filename")
_CAPTIONS = ("captions", "caption")
_ROWS_AT_ONCE = 64
_MAGIC = {b"fLaC": ".flac", b"OggS": ".ogg", b"RIFF": ".wav", b"ID3": ".mp3", b"\xff\xfb": ".mp3", b"FORM": ".aiff"}


def unpack(source: Path, target: Path) -> Path:
    """Writes the rows of a Parquet file as a tar of sounds and records.

    Args:
        source: a Parquet file.
        target: the tar.

    Returns:
        The tar.

    Raises:
        ManifestError: if the file cannot be read, has no column of sounds, or is a shard of codes.
    """
    try:
        file = pq.ParquetFile(source)
        columns = _Columns(file.schema_arrow, source)
        with atomic_write(target) as temporary, tarfile.open(temporary, "w") as tar:
            for number, row in enumerate(_rows(file)):
                _add(tar, columns, row, number)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"{source} is not a readable Parquet file ({' '.join(str(error).split())[:120]})."
        ) from None
    return target


class _Columns:
    """Which column holds what."""

    def __init__(self, schema: pa.Schema, source: Path):
        self.sound = next((field.name for field in schema if _is_sound(field.type)), "")
        if not self.sound:
            try:
                read_stamp(source)
            except CodesError:
                names = ", ".join(schema.names[:8])
                raise ManifestError(
                    f"{source} has no column of sounds (bytes, or bytes and path) among {names}: expected one."
                ) from None
            raise ManifestError(f"{source} holds codes already: give the sounds that are to be encoded.")
        self.key = next((name for name in _KEYS if name in schema.names), "")
        self.captions = [name for name in schema.names if name in _CAPTIONS or name.startswith("caption_")]
        self.texts = [name for name in TEXTS if name in schema.names]
        self.classes = class_names(schema)

    def record(self, row: dict[str, Any]) -> dict[str, Any]:
        """The record of a row."""
        found = {name: self._named(name, row[name]) for name in self.texts if row[name] is not None}
        captions = [text for name in self.captions for text in _listed(row[name])]
        return {**found, **({"captions": captions} if captions else {})}

    def _named(self, name: str, value: Any) -> Any:
        names = self.classes.get(name)
        return names[value] if names and isinstance(value, int) and 0 <= value < len(names) else value


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of classes by column, where the datasets library has written them into the file."""
    told = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(told)["info"]["features"] if told else {}
        return {name: one["names"] for name, one in features.items() if isinstance(one, dict) and "names" in one}
    except (ValueError, KeyError, TypeError):
        return {}


def suffix_of(data: bytes, name: str) -> str:
    """How the name of a sound file must end: as it did, or as its first bytes tell."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    return next((ending for magic, ending in _MAGIC.items() if data.startswith(magic)), ".wav")


def _add(tar: tarfile.TarFile, columns: _Columns, row: dict[str, Any], number: int) -> None:
    sound = row[columns.sound]
    data, path = (sound.get("bytes"), sound.get("path")) if isinstance(sound, dict) else (sound, None)
    # A name of its own for each row, and in it what the row is called.
    called = str(row[columns.key] if columns.key else path or "").rpartition("/")[2].partition(".")[0]
    key = f"{number:06d}-{called}" if called else f"{number:06d}"
    add_bytes(tar, key + suffix_of(data or b"", path or ""), data or b"")
    add_bytes(tar, f"{key}.json", json.dumps(columns.record(row), default=str).encode())


def _is_sound(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_bytes(field.type) for field in kind)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one]


def _rows(file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_ROWS_AT_ONCE):
        yield from batch.to_pylist()
