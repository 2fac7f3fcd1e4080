"""What a corpus is made of, listed: clips that lie here, and addresses whose clips are seen by who brings them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.data.codes import SUFFIX, CodesError, Failure, Stamp, read_stamp
from makesomenoise.data.fetching import Work, expanded, fetches
from makesomenoise.data.jobs import clip_jobs, places, unique_names
from makesomenoise.data.manifest import Clip, ManifestError, read_clips
from makesomenoise.files import reason


@dataclass(frozen=True)
class Listed:
    """A corpus.

    Attributes:
        clips: those that lie here.
        work: how all of it is cut.
        damaged: shards that cannot be read, or not to their end.
    """

    clips: list[Clip]
    work: list[Work]
    damaged: tuple[Failure, ...]


def listed(sources: Iterable[str | Path], output: Path, stamp: Stamp, leave_out: Collection[str] = ()) -> Listed:
    """Lists a corpus and cuts it into work.

    Args:
        sources: tar shards, folders, sound files, Parquet files, folders of those, and addresses.
        output: folder of the shards.
        stamp: of the tokenizer.
        leave_out: keys of clips that lie here and are not wanted.

    Raises:
        ManifestError: if a source does not exist or holds nothing or codes, or nothing is left of it.
        AddressError: if an address gives nothing.
    """
    here: list[Path] = []
    elsewhere: list[str] = []
    for source in map(str, sources):
        if "://" in source:
            elsewhere += expanded(source)
        elif parquet := _parquet_files(Path(source)):
            elsewhere += parquet
        else:
            here.append(Path(source))
    elsewhere = list(dict.fromkeys(elsewhere))
    damaged: dict[Path, str] = {}
    clips = read_clips(here, damaged) if here or not elsewhere else []
    if not clips and not elsewhere:
        raise ManifestError(next(iter(damaged.values())))
    wanted = [clip for clip in clips if clip.key not in leave_out]
    if clips and not wanted and not elsewhere:
        raise ManifestError(f"All {len(clips)} clips are to be left out: nothing is left to encode.")
    clips = wanted
    names = unique_names([*places(clips), *map(str, damaged), *elsewhere])
    work = [*clip_jobs(clips, output, stamp, names), *fetches(elsewhere, names, output, stamp)]
    return Listed(clips, work, tuple(Failure(names[str(path)], told) for path, told in damaged.items()))


def read_keys(path: Path) -> frozenset[str]:
    """The keys of clips in a file, one a line.

    Raises:
        ManifestError: if the file cannot be read.
    """
    try:
        return frozenset(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        told = reason(error) if isinstance(error, OSError) else "it is not in UTF-8"
        raise ManifestError(f"The keys {path} cannot be read: {told}.") from None


def _parquet_files(source: Path) -> list[str]:
    """The Parquet files that a path means: itself, those of a folder, or those of a pattern."""
    if source.suffix == SUFFIX:
        found = sorted(source.parent.glob(source.name)) if "*" in source.name else [source]
        if not found or not found[0].is_file():
            raise ManifestError(f"The corpus path {source} does not exist; give tar shards, Parquet files or folders.")
        return [str(_with_sounds(path).resolve()) for path in found]
    if not source.is_dir():
        return []
    return [str(_with_sounds(path).resolve()) for path in sorted(source.glob(f"*{SUFFIX}"))]


def _with_sounds(path: Path) -> Path:
    """The same path, unless codes lie there: those of another tokenizer would not be found out before the end."""
    try:
        found = read_stamp(path)
    except CodesError:
        return path  # what else is wrong with it, whoever encodes it finds
    raise ManifestError(f"{path} holds codes of the tokenizer {found.fingerprint} already: give the sounds themselves.")
