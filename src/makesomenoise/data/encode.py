"""A corpus to code shards, in several processes, and scenes made from it.

The work is cut into jobs of a few hundred clips, each of which becomes one Parquet shard, whole or not at all. A job
whose shard is there already, made by the same tokenizer from the same clips, is not done again: a run that was
interrupted goes on where it stopped. The processes are plain ones of the standard library.
"""

import hashlib
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from makesomenoise.audio import io
from makesomenoise.data.bursts import sounding
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import SUFFIX, CodeClip, CodesError, Stamp, read_stamp, write_codes
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.questions import described, parts
from makesomenoise.data.records import Recorded, recorded
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.data.sounds import find
from makesomenoise.tokenizer.model import AudioTokenizer

_JOB_CLIPS = 256
_SCENES = "scenes"
Report = Callable[[int, int], None]


class EncodeError(ValueError):
    """An encoding that cannot be done; the message is one sentence for the user."""


@dataclass(frozen=True)
class Encoded:
    """What an encoding came to.

    Attributes:
        clips: clips and scenes encoded now.
        seconds: their length.
        kept: clips and scenes whose shards were there already.
        skipped: what could not be read, one sentence each.
    """

    clips: int
    seconds: float
    kept: int
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """One shard to make: the clips themselves, or the scenes of some numbers made from them."""

    target: Path
    clips: tuple[Recorded, ...]
    stamp: Stamp
    scenes: range
    seed: int

    @property
    def size(self) -> int:
        return len(self.scenes) or len(self.clips)


@dataclass(frozen=True)
class _Made:
    size: int
    clips: int
    seconds: float
    skipped: tuple[str, ...]


def encode_corpus(
    sources: Iterable[str | Path],
    output: str | Path,
    tokenizer: str | Path = "default",
    workers: int = 1,
    scenes: int = 0,
    seed: int = 0,
    cache: str | Path | None = None,
    report: Report | None = None,
) -> Encoded:
    """Encodes every clip of the sources, and scenes made of them.

    Args:
        sources: tar shards and folders, as for `read_clips`.
        output: folder of the code shards; made if missing.
        tokenizer: a model folder, a bundled name or a Hub id.
        workers: number of processes; with one, the work is done in this process.
        scenes: number of scenes to add.
        seed: of the scenes; scene number n depends on it, on n and on the clips alone.
        cache: folder that keeps decoded clips for later runs.
        report: called with the numbers of clips done and of all clips, now and again.

    Raises:
        EncodeError: if the output is a file or holds the codes of another tokenizer, or if a process dies.
        ManifestError: if a source does not exist or holds nothing.
        SceneError: if scenes are asked for and there are too few labelled sounds.
    """
    stamp = _stamp(_tokenizer(str(tokenizer)))
    jobs = list(_jobs(recorded(read_clips(sources)), Path(output), stamp, scenes, seed))
    _check(Path(output), stamp)
    if scenes:
        SceneMaker(ClipStore([item.clip for item in jobs[-1].clips], 1))  # tells now if there are too few sounds
    Path(output).mkdir(parents=True, exist_ok=True)
    waiting = [job for job in jobs if not _is_done(job)]
    done = kept = sum(job.size for job in jobs) - sum(job.size for job in waiting)
    made: list[_Made] = []
    for one in _worked_off(waiting, str(tokenizer), cache, workers):
        made.append(one)
        done += one.size
        if report is not None:
            report(done, sum(job.size for job in jobs))
    skipped = tuple(sentence for one in made for sentence in one.skipped)
    return Encoded(sum(one.clips for one in made), sum(one.seconds for one in made), kept, skipped)


def _jobs(clips: list[Recorded], output: Path, stamp: Stamp, scenes: int, seed: int) -> Iterator[_Job]:
    groups: dict[Path, list[Recorded]] = defaultdict(list)
    for item in clips:
        groups[item.clip.path if item.clip.path.suffix == ".tar" else item.clip.path.parent].append(item)
    names = Counter(path.stem for path in groups)
    for path, group in groups.items():
        # Two folders of one name are told apart by where they are.
        name = path.stem if names[path.stem] == 1 else f"{path.stem}-{_digest([str(path.resolve())])[:6]}"
        for number, first in enumerate(range(0, len(group), _JOB_CLIPS)):
            part = tuple(group[first : first + _JOB_CLIPS])
            made_from = _digest(map(_identity, part))
            yield _Job(
                output / f"{name}-{number:03d}{SUFFIX}", part, replace(stamp, made_from=made_from), range(0), seed
            )
    pool = tuple(item for item in clips if find(item.clip.label, item.clip.dataset))
    pool_digest = _digest(map(_identity, pool))
    for first in range(0, scenes, _JOB_CLIPS):
        numbers = range(first, min(first + _JOB_CLIPS, scenes))
        made_from = _digest([pool_digest, str(seed), str(numbers)])
        target = output / f"{_SCENES}-{seed}-{first // _JOB_CLIPS:03d}{SUFFIX}"
        yield _Job(target, pool, replace(stamp, made_from=made_from), numbers, seed)


def _identity(item: Recorded) -> str:
    """All that is known of a clip but where it lies, which may change."""
    return str(replace(item, clip=replace(item.clip, path=Path(), offset=0)))


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _check(output: Path, stamp: Stamp) -> None:
    """Refuses a folder that cannot hold the codes; those of two tokenizers together would be of no use to anybody."""
    if output.exists() and not output.is_dir():
        raise EncodeError(f"{output} is a file: give a folder for the code shards.")
    for path in sorted(output.glob(f"*{SUFFIX}")):
        found = read_stamp(path).fingerprint
        if found != stamp.fingerprint:
            raise EncodeError(
                f"{output} holds codes of the tokenizer {found}, and this one is {stamp.fingerprint}: "
                "give an empty folder, or remove what is in it."
            )


def _is_done(job: _Job) -> bool:
    try:
        return job.target.exists() and read_stamp(job.target) == job.stamp
    except CodesError:
        return False


def _worked_off(jobs: Sequence[_Job], tokenizer: str, cache: str | Path | None, workers: int) -> Iterator[_Made]:
    if workers == 1 or len(jobs) < 2:  # noqa: PLR2004 - one job is no work to share
        yield from (_work(job, tokenizer, cache) for job in jobs)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,))
    try:
        for future in as_completed([pool.submit(_work, job, tokenizer, cache) for job in jobs]):
            yield future.result()
    except BrokenProcessPool:
        raise EncodeError(
            "A process that encodes ended early, perhaps for want of memory: run the same command again with fewer "
            "--workers, and it goes on where it stopped."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _work(job: _Job, tokenizer: str, cache: str | Path | None) -> _Made:
    model = _tokenizer(tokenizer)
    store = ClipStore([item.clip for item in job.clips], model.sample_rate, cache)
    skipped: list[str] = []
    clips = list(_scenes(job, store, model) if job.scenes else _clips(job, store, model, skipped))
    write_codes(job.target, clips, job.stamp)
    return _Made(job.size, len(clips), sum(clip.seconds for clip in clips), tuple(skipped))


def _clips(job: _Job, store: ClipStore, model: AudioTokenizer, skipped: list[str]) -> Iterator[CodeClip]:
    for number, item in enumerate(job.clips):
        try:
            waveform = store.waveform(number)
        except io.AudioError as error:
            # One file among thousands that nobody can read is no reason to stop.
            skipped.append(str(error))
            continue
        clip = item.clip
        yield CodeClip(
            key=clip.key,
            codes=_codes(model, waveform),
            seconds=len(waveform) / model.sample_rate,
            sounding=sounding(waveform, model.sample_rate),
            dataset=clip.dataset,
            split=item.split,
            fold=clip.fold,
            kind=clip.kind,
            label=clip.label,
            title=clip.title,
            captions=item.captions,
            license=item.license,
        )


def _scenes(job: _Job, store: ClipStore, model: AudioTokenizer) -> Iterator[CodeClip]:
    maker = SceneMaker(store)
    for number in job.scenes:
        scene = maker.make(np.random.default_rng([job.seed, number]))
        used = [job.clips[source] for source in scene.sources]
        splits = {item.split for item in used}
        yield CodeClip(
            key=f"{_SCENES}-{job.seed}-{number}",
            codes=_codes(model, scene.waveform),
            seconds=len(scene.waveform) / model.sample_rate,
            sounding=sounding(scene.waveform, model.sample_rate),
            dataset=_SCENES,
            split=splits.pop() if len(splits) == 1 else "",
            kind="scene",
            title=described(parts(scene.events)),
            license="; ".join(sorted({item.license for item in used if item.license})),
            events=scene.events,
        )


def _codes(model: AudioTokenizer, waveform: np.ndarray) -> tuple[int, ...]:
    return tuple(model.encode(torch.from_numpy(waveform)[None])[0].tolist())


def _stamp(model: AudioTokenizer) -> Stamp:
    return Stamp(model.fingerprint, model.codebook_size, model.code_rate)


@lru_cache(maxsize=1)
def _tokenizer(source: str) -> AudioTokenizer:
    """The tokenizer, loaded once in each process."""
    return AudioTokenizer.load(source, vocoder="griffin-lim")
