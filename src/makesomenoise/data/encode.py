"""A corpus to code shards, in several processes, with scenes made from it and varied copies.

The work is cut into jobs (`jobs.py`), each of which becomes one Parquet shard, whole or not at all. A job whose shard
is there already, made by the same tokenizer from the same clips, is not done again: a run that was interrupted goes on
where it stopped. The processes are plain ones of the standard library.
"""

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from makesomenoise.audio import io
from makesomenoise.data.bursts import sounding
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import SUFFIX, CodeClip, Provenance, Stamp, read_stamp, write_codes
from makesomenoise.data.instructions.scene_qa import described, parts
from makesomenoise.data.jobs import SCENES, Added, Job, added_jobs, clip_jobs, left_over
from makesomenoise.data.manifest import Clip, read_clips
from makesomenoise.data.ontology import Ontology, default_ontology
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.data.variation import varied
from makesomenoise.errors import DataError
from makesomenoise.files import make_folder
from makesomenoise.tokenizer.model import AudioTokenizer

Report = Callable[[int, int], None]


class EncodeError(DataError):
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
    added: Added | None = None,
    cache: str | Path | None = None,
    report: Report | None = None,
    ontology: Ontology | None = None,
) -> Encoded:
    """Encodes every clip of the sources, and what is made of them.

    Args:
        sources: tar shards and folders, as for `read_clips`.
        output: folder of the code shards; made if missing.
        tokenizer: a model folder, a bundled name or a Hub id.
        workers: number of processes; with one, the work is done in this process.
        added: scenes and copies; none where it is not given.
        cache: folder that keeps decoded clips for later runs.
        report: called with the numbers of clips done and of all clips, now and again.
        ontology: names the sounds of scenes; none: the one that ships.

    Raises:
        EncodeError: if the output is a file or holds the codes of another tokenizer, or if a process dies.
        ManifestError: if a source does not exist or holds nothing.
        SceneError: if scenes or pairs are asked for and there are too few labelled sounds.
    """
    added, ontology = added or Added(), ontology or default_ontology()
    stamp = _stamp(_tokenizer(str(tokenizer)))
    clips = read_clips(sources)
    trusted = [clip for clip in clips if ontology.find(clip.label, clip.trust)]
    _check(Path(output), stamp)
    if added.scenes or added.pairs:
        SceneMaker(ClipStore(trusted, 1), ontology)  # says now if there are too few sounds
    jobs = [*clip_jobs(clips, Path(output), stamp), *added_jobs(trusted, Path(output), stamp, added, ontology)]
    make_folder(output)
    for path in left_over(jobs):
        path.unlink()
    waiting = [job for job in jobs if not job.is_done()]
    done = kept = sum(job.size for job in jobs) - sum(job.size for job in waiting)
    made: list[_Made] = []
    for one in _worked_off(waiting, str(tokenizer), cache, workers):
        made.append(one)
        done += one.size
        if report is not None:
            report(done, sum(job.size for job in jobs))
    skipped = tuple(sentence for one in made for sentence in one.skipped)
    return Encoded(sum(one.clips for one in made), sum(one.seconds for one in made), kept, skipped)


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


def _worked_off(jobs: Sequence[Job], tokenizer: str, cache: str | Path | None, workers: int) -> Iterator[_Made]:
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


def _work(job: Job, tokenizer: str, cache: str | Path | None) -> _Made:
    model = _tokenizer(tokenizer)
    store = ClipStore(job.clips, model.sample_rate, cache)
    skipped: list[str] = []
    clips = list(_scenes(job, store, model) if job.scenes else _clips(job, store, model, skipped))
    write_codes(job.target, clips, job.stamp)
    return _Made(job.size, len(clips), sum(clip.seconds for clip in clips), tuple(skipped))


def _clips(job: Job, store: ClipStore, model: AudioTokenizer, skipped: list[str]) -> Iterator[CodeClip]:
    for number, clip in enumerate(job.clips):
        try:
            waveform = store.waveform(number)
        except io.AudioError as error:
            # One file among thousands that nobody can read is no reason to stop.
            skipped.append(str(error))
            continue
        if job.copy:
            digits = int(hashlib.sha256(clip.key.encode()).hexdigest()[:12], 16)
            waveform = varied(waveform, model.sample_rate, np.random.default_rng([job.seed, job.copy, digits]))
        yield CodeClip(
            key=f"{clip.key}~{job.seed}-{job.copy}" if job.copy else clip.key,
            codes=_codes(model, waveform),
            seconds=len(waveform) / model.sample_rate,
            sounding=sounding(waveform, model.sample_rate),
            **_known(clip),
        )


def _scenes(job: Job, store: ClipStore, model: AudioTokenizer) -> Iterator[CodeClip]:
    maker = SceneMaker(store, job.ontology)
    for number in job.scenes:
        rng = np.random.default_rng([job.seed, number])
        scene = maker.make(rng) if job.kind == SCENES else maker.pair(rng)
        used = [job.clips[source] for source in scene.sources]
        splits = {clip.split for clip in used}
        yield CodeClip(
            key=f"{job.kind}-{job.seed}-{number}",
            codes=_codes(model, scene.waveform),
            seconds=len(scene.waveform) / model.sample_rate,
            sounding=sounding(scene.waveform, model.sample_rate),
            dataset=SCENES,
            split=splits.pop() if len(splits) == 1 else "",
            kind="scene",
            title=described(parts(scene.events, job.ontology)),
            license="; ".join(sorted({clip.license for clip in used if clip.license})),
            events=scene.events,
            provenance=Provenance(job.kind, job.seed, number),
        )


def _known(clip: Clip) -> dict[str, Any]:
    """What a record tells, for the codes of its sound."""
    told = {one.name for one in fields(CodeClip)} - {"key", "seconds"}
    return {one.name: getattr(clip, one.name) for one in fields(Clip) if one.name in told}


def _codes(model: AudioTokenizer, waveform: np.ndarray) -> tuple[int, ...]:
    return tuple(model.encode(waveform[None])[0].tolist())


def _stamp(model: AudioTokenizer) -> Stamp:
    return Stamp(model.fingerprint, model.codebook_size, model.code_rate)


@lru_cache(maxsize=1)
def _tokenizer(source: str) -> AudioTokenizer:
    """The tokenizer, loaded once in each process."""
    return AudioTokenizer.load(source, vocoder="griffin-lim")
