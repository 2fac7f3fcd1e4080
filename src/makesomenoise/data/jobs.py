"""How the encoding of a corpus is cut into jobs, and which of them are done already; encodes nothing."""

import glob
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from makesomenoise.data.attempts import attempts_file
from makesomenoise.data.codes import SUFFIX, CodesError, Stamp, read_stamp
from makesomenoise.data.manifest import Clip
from makesomenoise.data.ontology import Ontology, default_ontology
from makesomenoise.errors import DataError

SCENES, PAIRS, BURSTS, _COPIES = "scenes", "pairs", "bursts", "copies"
_JOB_CLIPS = 256
# What is known of a clip, in the order of the text that the stamps of shards are digests of.
_IDENTITY = ("size", "dataset", "fold", "kind", "label", "title", "seconds", "split", "captions", "license", "trust")


class JobError(DataError):
    """Work that would destroy other work; the message is one sentence for the user."""


@dataclass(frozen=True)
class Added:
    """What is made of the clips with trusted labels, beside the clips themselves.

    Attributes:
        scenes: number of scenes.
        pairs: number of short scenes of two sounds, one of them clearly louder.
        bursts: number of scenes of one short sound and silence.
        copies: varied copies of each of them.
        seed: of all; scene number n depends on it, on n and on the clips alone.
    """

    scenes: int = 0
    pairs: int = 0
    bursts: int = 0
    copies: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Job:
    """One shard to make: the clips themselves, their copies of a number, or scenes of some numbers made from them.

    Attributes:
        target: the shard.
        clips: what is encoded, or what scenes are made from.
        stamp: of the shard when it is up to date.
        seed: of copies and scenes.
        copy: number of the copies, 0 for the clips themselves.
        scenes: numbers of the scenes, if it is they that are encoded.
        kind: of the scenes: `scenes`, `pairs` or `bursts`.
        ontology: names the sounds of scenes.
    """

    target: Path
    clips: tuple[Clip, ...]
    stamp: Stamp
    seed: int = 0
    copy: int = 0
    scenes: range = range(0)
    kind: str = SCENES
    ontology: Ontology = field(default_factory=default_ontology, repr=False)

    @property
    def size(self) -> int:
        """Number of clips or scenes."""
        return len(self.scenes) or len(self.clips)

    @property
    def name(self) -> str:
        """The tar, the folder or the kind of what is made, which the shard is named after."""
        return self.target.stem.rpartition("-")[0]

    def shards(self) -> tuple[str, ...]:
        """Name of its shard."""
        return (self.target.name,)

    def is_done(self) -> bool:
        """Whether the shard is there and up to date."""
        try:
            return self.target.exists() and read_stamp(self.target) == self.stamp
        except CodesError:
            return False

    def is_begun(self) -> bool:
        """Whether one of its clips was being read when a process died."""
        return attempts_file(self.target).exists()

    def check_place(self) -> None:
        """Refuses to write over the codes of another source that has the same name.

        Raises:
            JobError: if the shard that is there was made from other clips of another place.
        """
        try:
            found = read_stamp(self.target) if self.target.exists() else self.stamp
        except CodesError:
            return
        if found != self.stamp and found.source and found.source != self.stamp.source:
            raise JobError(
                f"{self.target} was made from {found.source}, and {self.stamp.source} is to be encoded: "
                "give each corpus a folder of its own."
            )


def places(clips: Sequence[Clip]) -> list[str]:
    """Where clips lie: each tar shard, and each folder of sound files."""
    return [str(path.resolve()) for path in dict.fromkeys(map(_place, clips))]


def clip_jobs(clips: Sequence[Clip], output: Path, stamp: Stamp, names: Mapping[str, str]) -> Iterator[Job]:
    """The clips as jobs: of each tar shard and of each folder on its own.

    Args:
        clips: what is to be encoded.
        output: folder of the shards.
        stamp: of the tokenizer.
        names: of the shards of each place.
    """
    groups: dict[Path, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[_place(clip)].append(clip)
    for path, group in groups.items():
        place = str(path.resolve())
        yield from parts_of(group, names[place], output, replace(stamp, source=place))


def parts_of(clips: Sequence[Clip], name: str, output: Path, stamp: Stamp) -> Iterator[Job]:
    """The jobs of one tar or folder.

    Args:
        clips: what it holds.
        name: which its shards have.
        output: folder of the shards.
        stamp: of the tokenizer and of the source.
    """
    for number, part in enumerate(_split(clips)):
        yield Job(_target(output, name, number), part, replace(stamp, made_from=_digest(map(_identity, part))))


def unique_names(places: Sequence[str]) -> dict[str, str]:
    """The name of each tar, folder or address; those of one name are told apart by where they are."""
    stems = {place: PurePosixPath(place).stem for place in places}
    counts = Counter(stems.values())
    return {place: stem if counts[stem] == 1 else f"{stem}-{_digest([place])[:6]}" for place, stem in stems.items()}


def added_jobs(trusted: list[Clip], output: Path, stamp: Stamp, added: Added, ontology: Ontology) -> Iterator[Job]:
    """Copies and scenes as jobs.

    Args:
        trusted: the clips to make them of.
        output: folder of the shards.
        stamp: of the tokenizer.
        added: what to make.
        ontology: names the sounds of scenes.
    """
    for copy in range(1, added.copies + 1):
        name = f"{_COPIES}-{added.seed}-{copy}"
        for number, part in enumerate(_split(trusted)):
            made_from = _digest([name, *map(_identity, part)])
            yield Job(_target(output, name, number), part, replace(stamp, made_from=made_from), added.seed, copy)
    everything, clips = _digest([ontology.digest, *map(_identity, trusted)]), tuple(trusted)
    for kind, count in ((SCENES, added.scenes), (PAIRS, added.pairs), (BURSTS, added.bursts)):
        for number, first in enumerate(range(0, count, _JOB_CLIPS)):
            some = range(first, min(first + _JOB_CLIPS, count))
            own = replace(stamp, made_from=_digest([everything, str(added.seed), str(some)]))
            target = _target(output, f"{kind}-{added.seed}", number)
            yield Job(target, clips, own, added.seed, scenes=some, kind=kind, ontology=ontology)


def left_over(jobs: Sequence[Job]) -> list[Path]:
    """Shards of an earlier run over the same sources that was cut into more jobs; nothing would replace them."""
    targets = {job.target for job in jobs}
    patterns = {(job.target.parent, f"{glob.escape(job.target.stem[:-3])}[0-9][0-9][0-9]{SUFFIX}") for job in jobs}
    found = {path for folder, pattern in patterns for path in folder.glob(pattern)}
    return sorted(found - targets)


def _place(clip: Clip) -> Path:
    return clip.path if clip.path.suffix == ".tar" else clip.path.parent


def _split(clips: Sequence[Clip]) -> Iterator[tuple[Clip, ...]]:
    return (tuple(clips[first : first + _JOB_CLIPS]) for first in range(0, len(clips), _JOB_CLIPS))


def _target(output: Path, name: str, number: int) -> Path:
    return output / f"{name}-{number:03d}{SUFFIX}"


def _identity(clip: Clip) -> str:
    """All that is known of a clip but where it lies, which may change; in the words that shards were stamped with."""
    told = ", ".join(f"{name}={getattr(clip, name)!r}" for name in _IDENTITY)
    return f"Clip(key={clip.key!r}, path={Path()!r}, offset=0, {told})"


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
