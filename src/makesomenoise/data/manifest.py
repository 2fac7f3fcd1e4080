"""What a corpus holds: one `Clip` record per item, from WebDataset tar shards or from a folder; decodes nothing.

A shard is a tar whose members come in pairs `<key>.<audio extension>` and `<key>.json`; a key ends at the first dot of
the base name, as WebDataset has it. A folder is searched for sound files; a `<name>.json` beside one is its record, and
without it the name of the parent folder is the label. Hidden files are nobody's sound; whatever else is left out is
counted and named in the log, in one line of each kind.
"""

import json
import logging
import math
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.data.clip_info import ClipInfo
from makesomenoise.data.ontology import TRUSTS
from makesomenoise.errors import DataError
from makesomenoise.files import as_text

_NAMED = 3  # of what is left out
EVALUATION_SPLITS = ("valid", "validation", "test", "eval", "evaluation", "unseen")

_log = logging.getLogger(__name__)


class ManifestError(DataError):
    """A corpus that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Clip(ClipInfo):
    """One item of a dataset: where its bytes are, and what is known of it.

    Attributes:
        path: the shard or the sound file.
        offset: first byte in `path`.
        size: number of bytes.
        seconds: length by the record, 0 where unknown.
    """

    path: Path
    offset: int
    size: int
    seconds: float = field(default=0.0, kw_only=True)

    def read(self) -> bytes:
        """The encoded bytes of the sound file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


TEXTS = [one.name for one in fields(ClipInfo) if one.type is str and one.name != "key"]


def read_clips(paths: Iterable[str | Path], damaged: dict[Path, str] | None = None) -> list[Clip]:
    """Lists the clips of shards (`*.tar`), folders and sound files, in a stable order.

    Args:
        paths: a `*` in a last part stands for any letters.
        damaged: takes what is wrong with shards that cannot be read, or not to their end; where it is not given, those
            that cannot be read are an error.

    Raises:
        ManifestError: if a path does not exist, a record is wrong, or nothing is found.
    """
    clips: list[Clip] = []
    left = _LeftOut(damaged=damaged)
    for path in (match for given in paths for match in _matches(Path(given))):
        if not path.exists():
            raise ManifestError(f"The corpus path {path} does not exist; give tar shards or folders of sound files.")
        clips += _read(path, left)
    left.tell()
    if not clips and not damaged:
        raise ManifestError(f"No sound files found in {', '.join(map(str, paths))}; expected tar shards or folders.")
    found = list(dict.fromkeys(clips))
    if len(found) < len(clips):
        _log.warning("%d clips are skipped: they were given twice.", len(clips) - len(found))
    return found


def read_training_clips(paths: Iterable[str | Path]) -> list[Clip]:
    """The clips of shards and folders to learn from; as `read_clips`, and errors as `refuse_evaluation` too."""
    clips = read_clips(paths)
    refuse_evaluation(clip.split for clip in clips)
    return clips


def refuse_evaluation(splits: Iterable[str]) -> None:
    """Refuses clips that are there to evaluate, where something is to learn from them.

    Args:
        splits: of the clips to learn from; an empty one is nobody's.

    Raises:
        ManifestError: if one of them is in `EVALUATION_SPLITS`.
    """
    marked = Counter(split for split in splits if split in EVALUATION_SPLITS)
    if marked:
        (split, count), *_ = marked.most_common()
        raise ManifestError(
            f"{count} clips to train on are marked as '{split}' in their records, a split that is there to evaluate: "
            "train on other clips, since what was learned cannot be judged by the same."
        )


@dataclass
class _LeftOut:
    """What is not used of a corpus."""

    foreign: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    damaged: dict[Path, str] | None = None

    def note_damage(self, shard: Path, count: int, error: Exception) -> None:
        """Remembers a shard that cannot be read after some members, or refuses it where nobody wants to know."""
        sentence = f"{shard} is not a readable WebDataset tar shard ({error})."
        if not count and self.damaged is None:
            raise ManifestError(sentence) from None
        if count:
            sentence = f"{shard} is damaged or cut off after {count} members ({error}); what is there is used."
        _log.warning("%s", sentence)
        if self.damaged is not None:
            self.damaged[shard] = sentence

    def tell(self) -> None:
        """Says it in one line of each kind."""
        kinds = (
            (self.foreign, "skipped: no suffix of a sound file"),
            (self.loose, "skipped: they lie beside tar shards, which make up a corpus of their own"),
            (self.links, "skipped: a shard holds them as a link or in pieces"),
            (self.twice, "twice in its shard, of which the last is used, as tar does"),
            (self.alone, "skipped: a record without its sound"),
            (self.unlabelled, "without a label: there is no record"),
        )
        for names, why in kinds:
            if names:
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                _log.warning("%d %s (%s%s).", len(names), why, ", ".join(names[:_NAMED]), more)


def _matches(path: Path) -> list[Path]:
    return (sorted(path.parent.glob(path.name)) if "*" in path.name else []) or [path]


def _read(path: Path, left: _LeftOut) -> list[Clip]:
    if path.is_dir():
        return _read_folder(path, left)
    if path.suffix.lower() in SUFFIXES:
        return [_file_clip(path.parent, path, path.stem, left)]
    return _read_shard(path, left)


def _read_folder(folder: Path, left: _LeftOut) -> list[Clip]:
    files = [path for path in sorted(folder.rglob("*")) if not _is_hidden(path.relative_to(folder)) and path.is_file()]
    sounds = [path for path in files if path.suffix.lower() in SUFFIXES]
    shards = [path for path in files if path.suffix == ".tar" and path.parent == folder]
    if shards:
        left.loose += map(str, sounds)
        return [clip for shard in shards for clip in _read_shard(shard, left)]
    records = {path.with_suffix(".json") for path in sounds}
    records |= {path.with_name(path.name.partition(".")[0] + ".json") for path in sounds}
    left.foreign += [str(path) for path in files if path not in records and path.suffix.lower() not in SUFFIXES]
    names = [str(path.relative_to(folder)) for path in sounds]
    keys = _distinct([[name.removesuffix(Path(name).suffix), name] for name in names])
    return [_file_clip(folder, path, key, left) for path, key in zip(sounds, keys, strict=True)]


def _file_clip(folder: Path, file: Path, key: str, left: _LeftOut) -> Clip:
    parent = file.parent.name.replace("_", " ") if file.parent != folder else ""
    for sidecar in (file.with_suffix(".json"), file.with_name(file.name.partition(".")[0] + ".json")):
        if sidecar.is_file():
            return _clip(key, file, 0, file.stat().st_size, _record(_bytes(sidecar), str(sidecar), folder.name))
    if not parent:
        left.unlabelled.append(str(file))
    return _clip(key, file, 0, file.stat().st_size, {"dataset": folder.name, "label": parent})


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"Cannot read {path}: {error.strerror}.") from None


def _read_shard(shard: Path, left: _LeftOut) -> list[Clip]:
    sounds: dict[str, tarfile.TarInfo] = {}
    records: dict[str, dict] = {}
    for member, content in _members(shard, left):
        if member.name in sounds or member.name in records:
            left.twice.append(f"{member.name} in {shard}")
        if content is None:
            sounds.pop(member.name, None)
            sounds[member.name] = member
        else:
            records[member.name] = _record(content, f"{member.name} in {shard}", "")
    keys = _distinct([[_key(name), name.rpartition(".")[0], name] for name in sounds])
    used = set()
    clips = []
    for key, (name, member) in zip(keys, sounds.items(), strict=True):
        candidates = (name.rpartition(".")[0] + ".json", _key(name) + ".json")
        record = next((one for one in candidates if one in records), None)
        used.add(record)
        if record is None:
            left.unlabelled.append(f"{name} in {shard}")
        clips.append(_clip(key, shard, member.offset_data, member.size, records.get(record or "", {})))
    left.alone += [f"{name} in {shard}" for name in records if name not in used]
    return clips


def _members(shard: Path, left: _LeftOut) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    """The sounds of a shard, and its records with their content; of a shard that is cut off what is there."""
    count = 0
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                count += 1
                suffix = PurePosixPath(member.name).suffix.lower()
                if _is_hidden(PurePosixPath(member.name)) or member.isdir():
                    continue
                if suffix not in SUFFIXES and suffix != ".json":
                    left.foreign.append(f"{member.name} in {shard}")
                elif not member.isreg() or member.issparse():
                    left.links.append(f"{member.name} in {shard}")
                elif suffix in SUFFIXES:
                    yield member, None
                else:
                    file = tar.extractfile(member)
                    yield member, file.read() if file else b""
    except (tarfile.TarError, OSError) as error:
        left.note_damage(shard, count, error)


def _is_hidden(path: PurePosixPath | Path) -> bool:
    """Whether some program keeps its own notes there (`.git/`, `._rain.wav` of macOS), and no sound."""
    return any(part.startswith(".") and part not in {".", ".."} for part in path.parts) or "__MACOSX" in path.parts


def _key(name: str) -> str:
    """The name up to the first dot of its last part."""
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def _distinct(names: Sequence[Sequence[str]]) -> list[str]:
    """One name of each list: the first, or if several would have the same, a later one."""
    chosen = [0] * len(names)
    for number in range(max(map(len, names), default=1) - 1):
        counts = Counter(all_of[place] for all_of, place in zip(names, chosen, strict=True))
        chosen = [
            number + 1 if place == number and counts[all_of[place]] > 1 else place
            for all_of, place in zip(names, chosen, strict=True)
        ]
    return [all_of[place] for all_of, place in zip(names, chosen, strict=True)]


def _record(data: bytes, place: str, dataset: str) -> dict:
    """The fields of a record that are known, as a clip has them."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ManifestError(f'The record {place} is not a JSON object: expected one such as {{"label": "dog"}}.')
    known: dict[str, object] = {name: _text(record, name, place) for name in TEXTS if record.get(name) is not None}
    if known.get("trust", "") not in ("", *TRUSTS):
        raise _wrong(place, "trust", known["trust"], f"one of {', '.join(TRUSTS)}")
    known["seconds"] = _seconds(record, place)
    known["captions"] = _captions(record, place)
    return {"dataset": dataset, **known}


def _text(record: dict, name: str, place: str) -> str:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(place, name, value, "a text")
    return as_text(str(value)) if value or value == 0 else ""


def _seconds(record: dict, place: str) -> float:
    value = record.get("seconds")
    if value is None or value == "":
        return 0.0
    try:
        seconds = math.nan if isinstance(value, bool | list | dict) else float(value)
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise _wrong(place, "seconds", value, "a number, 0 or above")
    return seconds


def _captions(record: dict, place: str) -> tuple[str, ...]:
    value = record.get("captions")
    value = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(value, list) or not all(isinstance(caption, str) for caption in value):
        raise _wrong(place, "captions", value, "a list of texts")
    return tuple(as_text(caption) for caption in value if caption)


def _wrong(place: str, name: str, value: object, expected: str) -> ManifestError:
    shown = json.dumps(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."  # noqa: PLR2004 - fits into a sentence
    return ManifestError(f'The record {place} has {shown} as "{name}", expected {expected}.')


def _clip(key: str, path: Path, offset: int, size: int, known: dict) -> Clip:
    return Clip(as_text(key), path, offset, size, **known)
