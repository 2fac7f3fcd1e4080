"""Encoded clips as Parquet shards, stamped with the tokenizer that made them; knows no tokenizer and no language model.

A shard holds one row a clip. Its schema carries the `Stamp`: codes mean something only to the tokenizer they came from,
so whoever reads them says which one he has, and codes of another are refused. It also names the clips that could not be
encoded, so that what was done and what failed are written in one step.
"""

import json
import mmap
import operator
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from makesomenoise.data.clip_info import ClipInfo
from makesomenoise.data.ontology import Name, Ontology, default_ontology, usual_trust
from makesomenoise.errors import DataError
from makesomenoise.files import atomic_write

SUFFIX = ".parquet"
_STAMP, _FAILED = b"makesomenoise", b"makesomenoise.failed"
_ROWS_AT_ONCE = 1024


class CodesError(DataError):
    """Code shards that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Event:
    """One sound of a scene.

    Attributes:
        label: name of the sound, as the ontology has it.
        start: where it begins, seconds.
        end: where it is over, seconds.
        level_db: its level in the scene while it sounds, dB of full scale.
    """

    label: str
    start: float
    end: float
    level_db: float


@dataclass(frozen=True)
class Provenance:
    """How a scene was made, so that it can be made again of the same clips.

    Attributes:
        kind: `scenes`, `pairs` or `bursts`.
        seed: of all that were made together.
        number: of this one.
    """

    kind: str
    seed: int
    number: int


@dataclass(frozen=True)
class CodeClip(ClipInfo):
    """One encoded clip.

    Attributes:
        codes: integers in [0, K).
        seconds: length of the sound.
        sounding: where the first and last audible sound are, seconds; outside is silence.
        events: what sounds when, known only of scenes.
        provenance: how it was made, known only of scenes.
        ontology: tells what labels mean; no part of a shard.
    """

    codes: tuple[int, ...]
    seconds: float
    sounding: tuple[float, float] = (0.0, 0.0)
    events: tuple[Event, ...] = field(default=(), kw_only=True)
    provenance: Provenance | None = field(default=None, kw_only=True)
    ontology: Ontology = field(default_factory=default_ontology, compare=False, repr=False, kw_only=True)

    @property
    def name(self) -> Name | None:
        """What the label means, or nothing where it is not to be trusted."""
        return self.ontology.find(self.label, self.trust)

    @property
    def has_written_title(self) -> bool:
        """Whether the title was written for people; those of collections named by file are paths in other words."""
        return self.trust not in ("rough", "spoken")


_ARROW = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    tuple[float, float]: pa.list_(pa.float64()),
    tuple[str, ...]: pa.list_(pa.string()),
    tuple[int, ...]: pa.list_(pa.uint16()),  # of K <= 65,536 codes
}
_ARROW |= {kind: pa.struct([(one.name, _ARROW[one.type]) for one in fields(kind)]) for kind in (Event, Provenance)}
_ARROW |= {tuple[Event, ...]: pa.list_(_ARROW[Event]), Provenance | None: _ARROW[Provenance]}
# The columns of a shard in their order, which is part of the format.
_COLUMNS = ("key", "codes", "seconds", "sounding", "dataset", "split", "fold", "kind", "label", "title")
_COLUMNS += ("captions", "license", "events", "trust", "provenance")
_TYPES = {one.name: one.type for one in fields(CodeClip)}
_SCHEMA = pa.schema([(name, _ARROW[_TYPES[name]]) for name in _COLUMNS])


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
    table = pa.Table.from_pylist([_row(clip) for clip in clips], schema=schema)
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


class CodeClips(Sequence[CodeClip]):
    """Encoded clips in the columns of a table; a `CodeClip` is made each time it is asked for.

    What is chosen of them is a view: a number for each clip.

    Args:
        table: a row for each clip, of the columns of a shard.
        ontology: tells what their labels mean.
        rows: [N] numbers of the rows that are meant, in order; all where not given.
    """

    def __init__(self, table: pa.Table, ontology: Ontology, rows: np.ndarray | None = None):
        self._table, self.ontology = table, ontology
        self._rows = np.arange(len(table)) if rows is None else rows

    @classmethod
    def of(cls, clips: Iterable[CodeClip]) -> Self:
        """The same clips; of a list, its content as a table."""
        if isinstance(clips, cls):
            return clips
        clips = list(clips)
        table = pa.Table.from_pylist([_row(clip) for clip in clips], schema=_SCHEMA)
        return cls(table, clips[0].ontology if clips else default_ontology())

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> CodeClip: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> CodeClip | Self:
        if isinstance(place, slice):
            return type(self)(self._table, self.ontology, self._rows[place])
        return self._clip(self._table.slice(int(self._rows[place]), 1).to_pylist()[0])

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence has equal clips."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # pyright: ignore[reportAssignmentType] - as that of a list

    def __iter__(self) -> Iterator[CodeClip]:
        for first in range(0, len(self), _ROWS_AT_ONCE):
            rows = self._table.take(pa.array(self._rows[first : first + _ROWS_AT_ONCE]))
            yield from map(self._clip, rows.to_pylist())

    def where(self, chosen: np.ndarray) -> Self:
        """Those that are chosen, by a boolean for each [N] or by their places."""
        return type(self)(self._table, self.ontology, self._rows[chosen])

    def column(self, name: str) -> np.ndarray:
        """A text or a number of each clip [N]; of what is a list, its length."""
        values = self._table[name]
        if pa.types.is_list(values.type):
            values = pc.list_value_length(values)  # pyright: ignore[reportAttributeAccessIssue] - made at run time
        elif pa.types.is_string(values.type):  # equal texts share one object
            encoded = values.dictionary_encode().unify_dictionaries().combine_chunks()
            texts = np.array([*encoded.dictionary.to_pylist(), ""], dtype=object)[:-1]
            return texts[encoded.indices.to_numpy()[self._rows]]
        return values.to_numpy()[self._rows]

    def names(self) -> list[Name | None]:
        """What each label means."""
        known: dict[tuple[str, str], Name | None] = {}
        pairs = list(zip(self.column("label"), self.column("trust"), strict=True))
        for pair in dict.fromkeys(pairs):
            known[pair] = self.ontology.find(*pair)
        return [known[pair] for pair in pairs]

    def _clip(self, row: dict) -> CodeClip:
        row["codes"], row["captions"], row["sounding"] = map(tuple, (row["codes"], row["captions"], row["sounding"]))
        row["events"] = tuple(Event(**event) for event in row["events"])
        row["provenance"] = Provenance(**row["provenance"]) if row["provenance"] else None
        return CodeClip(**row, ontology=self.ontology)


def read_codes(*sources: str | Path, fingerprint: str | None = None, ontology: Ontology | None = None) -> CodeClips:
    """Reads shards, those of a folder in the order of their names.

    Their rows lie in a file for temporary files that is gone with them, not in memory.

    Args:
        sources: `.parquet` files and folders of them.
        fingerprint: of the tokenizer whose codes are expected; any where it is not given.
        ontology: tells what labels mean; none: the one that ships.

    Raises:
        CodesError: if there is nothing to read, if a shard is damaged, or if it was made by another tokenizer.
    """
    expected = fingerprint or read_stamp(sources[0]).fingerprint
    paths = [path for source in sources for path in code_shards(source, expected)]
    return CodeClips(_mapped(paths), ontology or default_ontology())


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


def _mapped(paths: Sequence[Path]) -> pa.Table:
    """The rows of shards in one table, which is mapped to a file without a name."""
    with tempfile.TemporaryFile() as file:
        with pa.ipc.new_file(file, _SCHEMA) as writer:
            for path in paths:
                try:
                    for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE):
                        writer.write_batch(_in_order(batch))
                except pa.ArrowException as error:
                    raise CodesError(f"{path} cannot be read ({str(error).splitlines()[0]}): encode it anew.") from None
        file.flush()
        return pa.ipc.open_file(pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))).read_all()


def _in_order(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of today's shards; what shards of before did not tell is empty."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns.setdefault("trust", pa.array([usual_trust(str(name)) for name in batch.column("dataset")], pa.string()))
    columns.setdefault("provenance", pa.nulls(len(batch), _SCHEMA.field("provenance").type))
    return pa.RecordBatch.from_arrays([columns[one.name].cast(one.type) for one in _SCHEMA], schema=_SCHEMA)


def _row(clip: CodeClip) -> dict:
    return {name: _plain(getattr(clip, name)) for name in _SCHEMA.names}


def _plain(value: object) -> object:
    if isinstance(value, Event | Provenance):
        return asdict(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
