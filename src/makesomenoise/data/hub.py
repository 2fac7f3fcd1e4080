"""Data sets of the Hugging Face Hub as WebDataset shards: streamed, their sounds left as they are, encoded bytes.

Sounds are never decoded here, so neither torchcodec nor ffmpeg is needed. A set that is on this machine, in a folder or
in the cache of the datasets library, is read without a network; with `HF_HUB_OFFLINE=1` nothing else is tried.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from makesomenoise.data.parquet_sounds import suffix_of
from makesomenoise.data.tar_shards import Held, Prepared, PreparedClip, SplitShards, claim, safe_key
from makesomenoise.errors import DataError


class HubError(DataError):
    """A data set that cannot be prepared; the message is one sentence for the user."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a data set hold what; a name that is empty holds nothing.

    Attributes:
        dataset: name of the collection, as records have it.
        audio: the sound.
        label: its name, or several, the most special one first.
        captions: sentences about it, each column one or a list of them.
        fold: number of its fold.
        group: what it was cut from; clips of one group never lie in two splits.
        key: what tells clips apart; rows that share it are one clip with several captions.
        license: what its source allows.
    """

    dataset: str = ""
    audio: str = "audio"
    label: str = ""
    captions: tuple[str, ...] = ()
    fold: str = ""
    group: str = ""
    key: str = ""
    license: str = ""

    @property
    def used(self) -> list[str]:
        """Names of all columns that are read, but for the sound."""
        names = (self.label, *self.captions, self.fold, self.group, self.key, self.license)
        return list(dict.fromkeys(name for name in names if name))


PRESETS = {
    "esc50": Columns("esc50", label="category", fold="fold", group="src_file", key="filename"),
    "urbansound8k": Columns("urbansound8k", label="class", fold="fold", group="fsID", key="slice_file_name"),
    "audiocaps": Columns("audiocaps", captions=("caption",), group="youtube_id", key="youtube_id"),
    "clotho": Columns("clotho", captions=tuple(f"caption_{n}" for n in range(1, 6)), key="file_name"),
    "fsd50k": Columns("fsd50k", label="labels", key="fname"),
}


def prepare_hub(
    dataset: str, output: str | Path, split: str = "train", columns: Columns | None = None, held: Held | None = None
) -> Prepared:
    """Writes a split of a data set as tar shards, `<split>-00000.tar` and so on; whole shards stay when it is cut off.

    Args:
        dataset: id on the Hub, with `:` and the name of a configuration behind it if it has several, or a folder.
        output: folder of the shards; made if missing. Shards of the same preparation that are there are not made again.
        split: of the data set.
        columns: what holds what; by default the sounds alone.
        held: what becomes the valid split; by default all clips are of the split that was asked for.

    Raises:
        HubError: if the data set, the split or a column is not there.
        ShardError: if the folder holds another preparation.
        FileError: if the folder cannot be written.
    """
    columns, held, output = columns or Columns(), held or Held(), Path(output)
    source = _Source(dataset, split, columns)
    claim(output, split, {"dataset": dataset, "columns": asdict(columns), "held": asdict(held)})
    usual = "valid" if split.startswith(("valid", "dev", "eval")) else split.partition("[")[0]
    shards = SplitShards(output)
    missing: list[str] = []
    captions = 0
    for clip in source.clips():
        if not clip.data:
            missing.append(clip.key)
            continue
        name = held.split(str(clip.record.get("fold", "")), clip.group, usual)
        captions += len(clip.record.get("captions", ()))
        shards.add(name, PreparedClip(clip.key, clip.data, clip.suffix, clip.record))
    done = shards.close(captions, missing)
    if not done.clips:
        raise HubError(f"The split '{split}' of {dataset} holds no sounds in its column '{columns.audio}'.")
    return done


@dataclass(frozen=True)
class _HubClip:
    key: str
    data: bytes
    suffix: str
    group: str
    record: dict[str, Any]


class _Source:
    """A split of a data set, row by row."""

    def __init__(self, dataset: str, split: str, columns: Columns):
        from datasets import Audio  # noqa: PLC0415 - an extra

        self._columns, self._name = columns, dataset
        rows = _loaded(dataset, split)
        features = rows.features or {}
        missing = [name for name in (columns.audio, *columns.used) if features and name not in features]
        if missing:
            raise HubError(f"{dataset} has no column '{missing[0]}': it has {', '.join(sorted(features))}.")
        if isinstance(features.get(columns.audio), Audio):
            rows = rows.cast_column(columns.audio, Audio(decode=False))
        self._rows = rows
        self._classes = {name: kind.names for name, kind in features.items() if hasattr(kind, "names")}

    def clips(self) -> Iterator[_HubClip]:
        """One clip for each key; what further rows say of it is read first, since they may come later."""
        captions = self._all_captions()
        seen = set()
        for number, row in enumerate(self._rows):
            key = self._key(row, number)
            if key in seen:
                continue
            seen.add(key)
            data, path = _sound(row[self._columns.audio])
            record = self._record(row)
            if captions.get(key):
                record["captions"] = captions[key]
            group = str(row[self._columns.group]) if self._columns.group else key
            yield _HubClip(key, data, suffix_of(data, path), group, record)

    def _all_captions(self) -> dict[str, list[str]]:
        if not self._columns.captions:
            return {}
        found: dict[str, list[str]] = defaultdict(list)
        for number, row in enumerate(self._rows.select_columns(self._columns.used)):
            for name in self._columns.captions:
                found[self._key(row, number)] += [text for text in _texts(row[name]) if text]
        return {key: list(dict.fromkeys(texts)) for key, texts in found.items()}

    def _key(self, row: dict[str, Any], number: int) -> str:
        if not self._columns.key:
            return f"{number:08d}"
        return safe_key(str(row[self._columns.key]))

    def _record(self, row: dict[str, Any]) -> dict[str, Any]:
        columns = self._columns
        record: dict[str, Any] = {"dataset": columns.dataset or self._name.rpartition("/")[2]}
        if columns.label:
            names = self._classes.get(columns.label)
            values = row[columns.label]
            labels = [names[one] if names and isinstance(one, int) else one for one in _parts(values)]
            labels = [str(label).replace("_", " ") for label in labels]
            record |= {"label": labels[0]} if labels else {}
            record |= {"title": ", ".join(labels)} if len(labels) > 1 else {}
        for name, column in (("fold", columns.fold), ("license", columns.license)):
            if column and row[column] is not None:
                record[name] = str(row[column])
        return record


def _loaded(dataset: str, split: str) -> Any:
    from datasets import load_dataset  # noqa: PLC0415 - an extra

    path, _, name = (dataset, "", "") if Path(dataset).exists() else dataset.partition(":")
    try:
        return load_dataset(path, name or None, split=split, streaming=True)
    except Exception as error:  # the library and the Hub have many kinds
        said = " ".join(str(error).split())[:240].rstrip(".")
        raise HubError(
            f"Cannot open the split '{split}' of {dataset}: {said}; check its name, your access, and HF_HUB_OFFLINE."
        ) from None


def _sound(value: Any) -> tuple[bytes, str]:
    """The encoded bytes and the name of a sound."""
    if isinstance(value, bytes):
        return value, ""
    data, path = (value or {}).get("bytes"), (value or {}).get("path") or ""
    if data is None and path:
        import fsspec  # noqa: PLC0415 - comes with the datasets library

        try:
            fs, place = fsspec.url_to_fs(path)
            data = fs.cat_file(place)
        except OSError:
            data = b""
    return data or b"", PurePosixPath(path).name


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(one).strip() for one in values if one is not None]


def _parts(value: Any) -> Sequence[Any]:
    """Labels: a list, or a text that lists them with commas."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [] if value is None else [value]
