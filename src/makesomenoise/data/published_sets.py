"""Published data sets as they are downloaded, from a folder or an archive, as tar shards; decodes no sound.

What their tables are called, which columns say what, and where the sounds lie stands in `LAYOUTS`; the same sets from
the Hub have columns of the same names (`hub.py`). What a table names and the archive lacks is counted and said.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from makesomenoise.data.archives import Archive
from makesomenoise.data.hub import PRESETS, Columns
from makesomenoise.data.tar_shards import Held, Prepared, PreparedClip, SplitShards, claim, safe_key
from makesomenoise.errors import DataError

Report = Callable[[int, int], object]
_NON_COMMERCIAL = "CC-BY-NC-3.0"


class PublishedSetError(DataError):
    """A folder or archive that is not the data set it should be; the message is one sentence for the user."""


@dataclass(frozen=True)
class Table:
    """One table of a data set.

    Attributes:
        name: how its path ends.
        sounds: where the sound of a row lies, as ends of paths with columns in braces; the first that is there counts.
        split: of its clips.
        details: how the path of a table ends that says more of the same rows (`license`, `keywords`), or empty.
    """

    name: str
    sounds: tuple[str, ...]
    split: str = "train"
    details: str = ""


@dataclass(frozen=True)
class Layout:
    """A data set as it is downloaded.

    Attributes:
        columns: which columns of its tables say what.
        tables: those of which at least one must be there.
        license: of its clips, where rows do not say.
        trust: how far its labels are believed.
    """

    columns: Columns
    tables: tuple[Table, ...]
    license: str = ""
    trust: str = "exact"


def _clotho(part: str, split: str) -> Table:
    return Table(
        f"clotho_captions_{part}.csv", (f"{part}/{{file_name}}", "{file_name}"), split, f"clotho_metadata_{part}.csv"
    )


def _audiocaps(part: str, split: str) -> Table:
    names = ("{youtube_id}_{start_time}", "Y{youtube_id}", "{youtube_id}", "{audiocap_id}")
    return Table(f"{part}.csv", tuple(f"{name}{end}" for name in names for end in (".wav", ".flac", ".m4a")), split)


LAYOUTS: dict[str, Layout] = {
    "esc50": Layout(PRESETS["esc50"], (Table("meta/esc50.csv", ("audio/{filename}",)),), _NON_COMMERCIAL),
    "urbansound8k": Layout(
        PRESETS["urbansound8k"],
        (Table("metadata/UrbanSound8K.csv", ("audio/fold{fold}/{slice_file_name}",)),),
        _NON_COMMERCIAL,
    ),
    "fsd50k": Layout(
        PRESETS["fsd50k"],
        (
            Table("FSD50K.ground_truth/dev.csv", ("FSD50K.dev_audio/{fname}.wav",)),
            Table("FSD50K.ground_truth/eval.csv", ("FSD50K.eval_audio/{fname}.wav",), "test"),
        ),
        "CC-BY-4.0",
    ),
    "audiocaps": Layout(
        PRESETS["audiocaps"], (_audiocaps("train", "train"), _audiocaps("val", "valid"), _audiocaps("test", "test"))
    ),
    "clotho": Layout(
        PRESETS["clotho"],
        (_clotho("development", "train"), _clotho("validation", "valid"), _clotho("evaluation", "test")),
    ),
}


def prepare_published(
    name: str, source: str | Path, output: str | Path, held: Held | None = None, report: Report | None = None
) -> Prepared:
    """Writes a data set as tar shards, `<split>-00000.tar` and so on; whole shards stay when it is cut off.

    Args:
        name: one of `LAYOUTS`.
        source: the folder or archive as it was downloaded, or the folder that it was unpacked into.
        output: folder of the shards; made if missing. Shards of the same preparation that are there are not made again.
        held: what becomes the valid split beside what the set itself holds back.
        report: called with the numbers of sounds done and of all.

    Raises:
        ArchiveError: if the source is not there, or not whole.
        PublishedSetError: if it is not this data set, or holds none of its sounds.
        ShardError: if the folder holds another preparation.
        FileError: if the folder cannot be written.
    """
    layout, archive, output = LAYOUTS[name], Archive(source), Path(output)
    rows = _rows(name, layout, archive)
    places = _places(archive.names, rows)
    if not places:
        raise PublishedSetError(
            f"{source} has the tables of {name} and none of the sounds that they name, such as "
            f"{_wanted(rows[0])[0]}: unpack the sounds beside the tables."
        )
    claim(
        output, "all", {"source": name, "held": asdict(held or Held()), "tables": sorted({r.table.name for r in rows})}
    )
    shards = SplitShards(output)
    for number, (place, data) in enumerate(archive.read_each(places), 1):
        row = places[place]
        split = (held or Held()).split(row.text("fold"), row.text("group") or row.key, row.split)
        shards.add(split, PreparedClip(row.key, data, PurePosixPath(place).suffix.lower(), row.record(layout)))
        if report is not None:
            report(number, len(places))
    there = set(places.values())
    captions = sum(len(row.captions) for row in places.values())
    return shards.close(captions, [row.key for row in rows if row not in there])


@dataclass(frozen=True, eq=False)
class _Row:
    """What the tables say of one sound."""

    columns: Columns
    table: Table
    values: Mapping[str, str]
    captions: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in the shards."""
        return safe_key(self.values.get(self.columns.key, ""))

    @property
    def split(self) -> str:
        """What the set itself says: by the table, or, in FSD50K, by a column."""
        return "valid" if self.values.get("split") == "val" else self.table.split

    def text(self, what: str) -> str:
        """The value of a column of `Columns`, or nothing."""
        return self.values.get(getattr(self.columns, what), "").strip()

    def record(self, layout: Layout) -> dict[str, object]:
        """What is known, as a clip has it."""
        labels = [part.strip().replace("_", " ") for part in self.text("label").split(",") if part.strip()]
        keywords = self.values.get("keywords", "").replace(";", ", ")
        known: dict[str, object] = {
            "dataset": self.columns.dataset,
            "label": labels[0].lower() if labels else "",
            "title": ", ".join(labels) if len(labels) > 1 else keywords,
            "captions": list(self.captions),
            "fold": self.text("fold"),
            "license": self.values.get("license", "").strip() or layout.license,
            "trust": layout.trust,
        }
        return {name: value for name, value in known.items() if value}


def _rows(name: str, layout: Layout, archive: Archive) -> list[_Row]:
    """The rows of all tables that are there; those of one key are one, with the captions of all."""
    found: list[_Row] = []
    for table in layout.tables:
        path = _ending(archive.names, table.name)
        if path is None:
            continue
        details = _by_key(_table(archive, _ending(archive.names, table.details) if table.details else None), layout)
        for key, rows in _by_key(_table(archive, path), layout).items():
            captions = [row[one].strip() for row in rows for one in layout.columns.captions if row.get(one)]
            values = {**(details[key][0] if key in details else {}), **rows[0]}
            found.append(_Row(layout.columns, table, values, tuple(dict.fromkeys(captions))))
    if not found:
        names = ", ".join(table.name for table in layout.tables)
        raise PublishedSetError(f"{archive.path} is not {name}: it has none of the tables {names}, or they are empty.")
    return found


def _table(archive: Archive, path: str | None) -> Iterator[dict[str, str]]:
    """The rows of a table in UTF-8, or, as some older ones are, in Latin-1."""
    if path is None:
        return
    data = archive.read(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield {str(key): value for key, value in row.items() if isinstance(value, str)}


def _by_key(rows: Iterator[dict[str, str]], layout: Layout) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row.get(layout.columns.key):
            found[row[layout.columns.key]].append(row)
    return found


def _ending(names: Sequence[str], end: str) -> str | None:
    """The shortest path that is an end, or ends with it after a slash."""
    return min((name for name in names if name == end or name.endswith(f"/{end}")), key=len, default=None)


def _wanted(row: _Row) -> list[str]:
    filled = []
    for place in row.table.sounds:
        if all(row.values.get(column) for column in re.findall(r"\{(\w+)\}", place)):
            filled.append(place.format(**row.values))
    return filled


def _places(names: Sequence[str], rows: Sequence[_Row]) -> dict[str, _Row]:
    """The rows whose sounds are there, by path; the folders that a path ends with may be other ones."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_name[PurePosixPath(name).name].append(name)
    found: dict[str, _Row] = {}
    for row in rows:
        for wanted in _wanted(row):
            candidates = by_name.get(PurePosixPath(wanted).name, [])
            exact = _ending(candidates, wanted)
            if exact is not None or len(candidates) == 1:
                found[exact or candidates[0]] = row
                break
    return found
