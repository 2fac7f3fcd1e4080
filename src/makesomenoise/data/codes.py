"""Encoded clips as Parquet shards, stamped with the tokenizer that made them; knows no tokenizer and no language model.

A shard holds one row a clip. Its schema carries the `Stamp`: codes mean something only to the tokenizer they came from,
so whoever reads them says which one he has, and codes of another are refused. It also names the clips that could not be
encoded, so that what was done and what failed are written in one step.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from makesomenoise.errors import DataError
from makesomenoise.files import atomic_write

SUFFIX = ".parquet"
_STAMP, _FAILED = b"makesomenoise", b"makesomenoise.failed"
_EVENT = pa.struct([("label", pa.string()), ("start", pa.float64()), ("end", pa.float64()), ("level_db", pa.float64())])
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", "dataset", "split", "fold", "kind", "label", "title")]
    + [("captions", pa.list_(pa.string())), ("license", pa.string()), ("seconds", pa.float64())]
    + [("sounding", pa.list_(pa.float64())), ("codes", pa.list_(pa.uint16())), ("events", pa.list_(_EVENT))]
)


class CodesError(DataError):
    """Code shards that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Event:
    """One sound of a scene.

    Attributes:
        label: name of the sound, as in `sounds.py`.
        start: where it begins, seconds.
        end: where it is over, seconds.
        level_db: its level in the scene while it sounds, dB of full scale.
    """

    label: str
    start: float
    end: float
    level_db: float


@dataclass(frozen=True)
class CodeClip:
    """One encoded clip.

    Attributes:
        key: unique name within its corpus.
        codes: integers in [0, K).
        seconds: length of the sound.
        sounding: where the first and last audible sound are, seconds; outside is silence.
        dataset: name of the collection it comes from; `scenes` for a made one.
        split: train or valid, or empty.
        fold: the fold within its collection, or empty.
        kind: coarse kind (sfx, animal, instrument, ..., scene), or empty.
        label: short English name, or empty.
        title: a freer description, or empty.
        captions: whole sentences about it.
        license: what its source allows.
        events: what sounds when, known only of scenes.
    """

    key: str
    codes: tuple[int, ...]
    seconds: float
    sounding: tuple[float, float] = (0.0, 0.0)
    dataset: str = ""
    split: str = ""
    fold: str = ""
    kind: str = ""
    label: str = ""
    title: str = ""
    captions: tuple[str, ...] = ()
    license: str = ""
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Stamp:
    """What a shard says of the tokenizer that made it, and of what it was made from.

    Attributes:
        fingerprint: of the tokenizer.
        codebook_size: number of codes K.
        code_rate: codes a second.
        made_from: digest of what was encoded; a shard made from something else is not up to date.
        source: the tar, folder or address that was encoded, as far as it is known; it may move.
    """

    fingerprint: str
    codebook_size: int
    code_rate: float
    made_from: str = ""
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Failure:
    """A clip that could not be encoded.

    Attributes:
        id: `<shard>/<key>` of the clip, or the shard alone where its clips are not known.
        reason: one sentence.
    """

    id: str
    reason: str


def write_codes(path: str | Path, clips: Sequence[CodeClip], stamp: Stamp, failures: Sequence[Failure] = ()) -> None:
    """Writes one shard; it appears whole or not at all.

    Args:
        path: ends in `.parquet`; an existing file is replaced.
        clips: its rows.
        stamp: whose codes they are.
        failures: clips that belong here and could not be encoded.

    Raises:
        CodesError: if a code is outside [0, K).
        FileError: if the file cannot be written.
    """
    for clip in clips:
        wrong = [code for code in clip.codes if not 0 <= code < stamp.codebook_size]
        if wrong:
            raise CodesError(f"Clip {clip.key} holds the code {wrong[0]}, outside [0, {stamp.codebook_size}).")
    told = {_STAMP: json.dumps(asdict(stamp)).encode()}
    if failures:
        told[_FAILED] = json.dumps([asdict(failure) for failure in failures]).encode()
    schema = _SCHEMA.with_metadata(told)
    table = pa.Table.from_pylist([asdict(clip) for clip in clips], schema=schema)
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_codes(source: str | Path, fingerprint: str | None = None) -> list[CodeClip]:
    """Reads a shard, or all shards of a folder in the order of their names.

    Args:
        source: a `.parquet` file or a folder of them.
        fingerprint: of the tokenizer whose codes are expected; any where it is not given.

    Raises:
        CodesError: if there is nothing to read, if a shard is damaged, or if it was made by another tokenizer.
    """
    return [_clip(row) for path in code_shards(source, fingerprint) for row in pq.read_table(path).to_pylist()]


def code_shards(source: str | Path, fingerprint: str | None = None) -> list[Path]:
    """The shards of a source, all of one tokenizer, in the order of their names; else as `read_codes`."""
    shards = _shards(source)
    expected = fingerprint or read_stamp(shards[0]).fingerprint
    for path in shards:
        found = read_stamp(path).fingerprint
        if found != expected:
            raise CodesError(
                f"{path} holds codes of the tokenizer {found}, and {expected} is expected: "
                "encode the sounds again with `msn data encode`, or use the tokenizer that made them."
            )
    return shards


def read_failures(path: str | Path) -> tuple[Failure, ...]:
    """The clips of a shard that could not be encoded.

    Raises:
        CodesError: if it is not a code shard.
    """
    try:
        told = (pq.read_schema(path).metadata or {}).get(_FAILED, b"[]")
        return tuple(Failure(**one) for one in json.loads(told))
    except (pa.ArrowException, OSError, TypeError, json.JSONDecodeError):
        raise CodesError(f"{path} is not a code shard: make some with `msn data encode`.") from None


def read_stamp(source: str | Path) -> Stamp:
    """What a shard, or the first shard of a folder, was made by.

    Raises:
        CodesError: if there is none, or if it is not a code shard.
    """
    path = _shards(source)[0]
    try:
        metadata = pq.read_schema(path).metadata or {}
        return Stamp(**json.loads(metadata[_STAMP]))
    except (pa.ArrowException, OSError, KeyError, TypeError, json.JSONDecodeError):
        raise CodesError(f"{path} is not a code shard: make some with `msn data encode`.") from None


def _shards(source: str | Path) -> list[Path]:
    source = Path(source)
    shards = sorted(source.glob(f"*{SUFFIX}")) if source.is_dir() else [source]
    if not shards or not shards[0].exists():
        raise CodesError(f"No code shards (*{SUFFIX}) at {source}: make them with `msn data encode`.")
    return shards


def _clip(row: dict) -> CodeClip:
    row["codes"], row["captions"], row["sounding"] = tuple(row["codes"]), tuple(row["captions"]), tuple(row["sounding"])
    row["events"] = tuple(Event(**event) for event in row["events"])
    return CodeClip(**row)
