"""Encodes one job into its shard; whoever runs many of them, in one process, in several or on a cluster, calls this.

A job that is done already is not done again, and the shard appears whole, with the clips that failed named in it: so
that to run a job twice, or again after its process died, comes to the same as to run it once.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TypeVar

import numpy as np

from makesomenoise.audio import io
from makesomenoise.data.attempts import MOST_DEATHS, Attempts
from makesomenoise.data.bursts import sounding
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip, Failure, Provenance, Stamp, write_codes
from makesomenoise.data.instructions.scene_qa import described, parts
from makesomenoise.data.jobs import SCENES, Job
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.data.variation import varied
from makesomenoise.errors import DataError
from makesomenoise.tokenizer.model import AudioTokenizer

Read = TypeVar("Read")
_CLIPS_AT_ONCE = 32  # on a GPU; a CPU gains nothing by it


class EncodeError(DataError):
    """An encoding that cannot be done; the message is one sentence for the user."""


@dataclass(frozen=True)
class Engine:
    """What encodes, in each process one.

    Attributes:
        tokenizer: a model folder, a bundled name or a Hub id.
        device: where it computes.
        cache: folder that keeps decoded clips for later runs, or none.
        threads: of each process; none is one for each core.
    """

    tokenizer: str = "default"
    device: str = "cpu"
    cache: str | None = None
    threads: int | None = None

    def model(self) -> AudioTokenizer:
        """The tokenizer, loaded once in each process."""
        return _loaded(self.tokenizer, self.device, self.threads)

    @property
    def stamp(self) -> Stamp:
        """What its shards say of it."""
        model = self.model()
        return Stamp(model.fingerprint, model.codebook_size, model.code_rate)


@dataclass(frozen=True)
class JobResult:
    """What became of a job.

    Attributes:
        size: clips or scenes that it was about, those that failed included.
        clips: those that were encoded now.
        seconds: their length.
        shards: names of the shards that are there now.
        failures: what failed and may be done another time; what failed for good stands in the shards.
    """

    size: int
    clips: int
    seconds: float
    shards: tuple[str, ...]
    failures: tuple[Failure, ...] = ()


def encode_job(job: Job, engine: Engine) -> JobResult:
    """Makes the shard of a job, unless it is there.

    Raises:
        EncodeError: if the engine is not the one whose codes are asked for.
        FileError: if the shard cannot be written.
    """
    if job.is_done():
        return JobResult(job.size, 0, 0.0, (job.target.name,))
    model = engine.model()
    if model.fingerprint != job.stamp.fingerprint:
        raise EncodeError(
            f"The tokenizer {engine.tokenizer} is {model.fingerprint} in this process and {job.stamp.fingerprint} "
            "where the work was handed out: put the same model at the same place on all machines."
        )
    work = _JobWork(job, ClipStore(job.clips, model.sample_rate, engine.cache), model)
    return work.done()


class _JobWork:
    """A job that is being done.

    Args:
        job: what is to be done.
        store: its clips.
        model: encodes them.
    """

    def __init__(self, job: Job, store: ClipStore, model: AudioTokenizer):
        self._job, self._store, self._model = job, store, model
        self._failures: list[Failure] = []
        self._attempts = Attempts(job.target)

    def done(self) -> JobResult:
        """Encodes and writes; what is noted of attempts stays only if the process dies."""
        job = self._job
        try:
            clips = self._encoded(self._scenes() if job.scenes else self._clips())
            write_codes(job.target, clips, job.stamp, self._failures)
        finally:
            self._attempts.end()
        return JobResult(job.size, len(clips), sum(clip.seconds for clip in clips), (job.target.name,))

    def _encoded(self, sounds: Iterable[tuple[np.ndarray, dict]]) -> list[CodeClip]:
        """Clips with their codes, of waveforms and all else that is known of them."""
        clips: list[CodeClip] = []
        for group in _grouped(sounds, 1 if self._model.device == "cpu" else _CLIPS_AT_ONCE):
            codes = _codes(self._model, [waveform for waveform, _ in group])
            for (waveform, known), found in zip(group, codes, strict=True):
                rate = self._model.sample_rate
                clips.append(
                    CodeClip(codes=found, seconds=len(waveform) / rate, sounding=sounding(waveform, rate), **known)
                )
        return clips

    def _read(self, number: int, key: str, read: Callable[[], Read]) -> Read | None:
        """What is read, or none where nobody can read it, which is noted."""
        if self._attempts.is_fatal(number):
            self._fail(key, f"Clip {key}: the process that read it died {MOST_DEATHS} times.")
            return None
        self._attempts.begin(number)
        try:
            return read()
        except io.AudioError as error:
            # One file among thousands that nobody can read is no reason to stop.
            self._fail(key, str(error))
            return None

    def _fail(self, key: str, reason: str) -> None:
        self._failures.append(Failure(f"{self._job.name}/{key}", reason))

    def _clips(self) -> Iterator[tuple[np.ndarray, dict]]:
        job = self._job
        for number, clip in enumerate(job.clips):
            key = f"{clip.key}~{job.seed}-{job.copy}" if job.copy else clip.key
            waveform = self._read(number, key, partial(self._store.waveform, number))
            self._store.forget(number)
            if waveform is None:
                continue
            if job.copy:
                digits = int(hashlib.sha256(clip.key.encode()).hexdigest()[:12], 16)
                rng = np.random.default_rng([job.seed, job.copy, digits])
                waveform = varied(waveform, self._model.sample_rate, rng)
            yield waveform, clip.info() | {"key": key}

    def _scenes(self) -> Iterator[tuple[np.ndarray, dict]]:
        job, maker = self._job, SceneMaker(self._store, self._job.ontology)
        for number in job.scenes:
            key, rng = f"{job.kind}-{job.seed}-{number}", np.random.default_rng([job.seed, number])
            scene = self._read(number, key, partial(maker.of_kind, job.kind, rng))
            if scene is None:
                continue
            used = [job.clips[source] for source in scene.sources]
            splits = {clip.split for clip in used}
            known = {
                "key": key,
                "dataset": SCENES,
                "split": splits.pop() if len(splits) == 1 else "",
                "kind": "scene",
                "title": described(parts(scene.events, job.ontology)),
                "license": "; ".join(sorted({clip.license for clip in used if clip.license})),
                "events": scene.events,
                "provenance": Provenance(job.kind, job.seed, number),
            }
            yield scene.waveform, known


def _codes(model: AudioTokenizer, waveforms: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
    lengths = [len(waveform) for waveform in waveforms]
    batch = np.zeros((len(waveforms), max(lengths)), np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    counts = [-(-length // model.samples_per_code) for length in lengths]
    codes = model.encode(batch, lengths)
    return [tuple(row[:count].tolist()) for row, count in zip(codes, counts, strict=True)]


def _grouped(sounds: Iterable[tuple[np.ndarray, dict]], size: int) -> Iterator[list[tuple[np.ndarray, dict]]]:
    iterator = iter(sounds)
    while group := list(islice(iterator, size)):
        yield group


@lru_cache(maxsize=1)
def _loaded(source: str, device: str, threads: int | None) -> AudioTokenizer:
    return AudioTokenizer.load(source, vocoder="griffin-lim", device=device, threads=threads)
