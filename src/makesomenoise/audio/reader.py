"""Sound files to chunks of a mono waveform: all there is of them, and one sentence on what is missing.

    source -> bytes -> survey: kind, parts, faults -> libsndfile, part by part -> resampled -> chunks
                                                       ffmpeg where that fails, after what was given already

libsndfile comes first, since it is exact and needs no other program; whatever it cannot open or decode is tried with
ffmpeg once.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import soxr

from makesomenoise.audio import ffmpeg, sndfile
from makesomenoise.audio.errors import AudioError, AudioWarning
from makesomenoise.audio.ffmpeg import FfmpegError, Told
from makesomenoise.audio.kinds import surveyed
from makesomenoise.audio.scale import scale_of
from makesomenoise.audio.sndfile import Block, SndfileError
from makesomenoise.audio.source import Source, SourceBytes, as_path, opened
from makesomenoise.audio.survey import Part, Survey

Report = Callable[[float], object]

# Samples. What an MP3 promises are whole frames, without what encoders put before and after; an Ogg file promises
# the position that its last page states, and FFmpeg's is off by part of a packet (20 ms at 48 kHz) where it left a gap.
_SLACK = {"MP3": 2 * 1152, "Ogg Opus": 960}
_END_SLACK = 0.25  # seconds by which a length that ffmpeg reports may be wrong, beside a fiftieth


def read(
    source: Source, sample_rate: int, chunk_seconds: float, strict: bool, report: Report | None = None
) -> Iterator[np.ndarray]:
    """Reads a file chunk by chunk in constant memory.

    Args:
        source: a path, `-`, bytes or an open file.
        sample_rate: of the result, Hz.
        chunk_seconds: length of what is decoded at a time, at most.
        strict: refuse a file of which something is missing, once that is known.
        report: is told how much of the file was read, 0 to 1, where the file says how long it is.

    Yields:
        float32 samples [s], s > 0.

    Raises:
        AudioError: if nothing can be read, or if there are values that are not finite.
    """
    with opened(source) as data:
        reading = _Reading(data, surveyed(data), sample_rate, chunk_seconds, report)
        yield from reading.chunks()
        sentence = reading.missing()
        if sentence and strict:
            raise AudioError(f"{sentence}.")
        if sentence:
            warnings.warn(AudioWarning(f"{sentence}; what is there was read."), stacklevel=2)


@dataclass
class _Reading:
    """One pass through a file."""

    data: SourceBytes
    survey: Survey
    sample_rate: int
    chunk_seconds: float
    report: Report | None = None
    given: int = field(default=0, init=False)  # samples of the result
    promised: float = field(default=0.0, init=False)  # seconds that the file states
    short: bool = field(default=False, init=False)  # whether that is more than there is
    failed: SndfileError | None = field(default=None, init=False)
    told: Told | None = field(default=None, init=False)

    def chunks(self) -> Iterator[np.ndarray]:
        """All there is; the errors of `read`."""
        for chunk in _resampled(self._blocks(), self.sample_rate):
            self.given += len(chunk)
            yield chunk
        if self.failed is not None:
            yield from self._by_ffmpeg(self.failed)
        if not self.given:
            raise AudioError(f"Cannot use {self.data.name}: it holds no samples.")

    def missing(self) -> str:
        """What is missing of the file, without its full stop; empty if nothing is."""
        seconds, faults = self.given / self.sample_rate, list(self.survey.faults)
        if self.told is not None and self.told.damaged and not faults:
            faults.append(f"is damaged or truncated (ffmpeg: {self.told.last.rstrip('.')})")
        elif self.failed is not None and self.told is None and not faults:
            faults.append(f"is damaged or truncated ({self.failed.reason})")
        short = self.short and self.promised > seconds
        if short and not any("truncated" in fault for fault in faults):
            faults.insert(0, "is truncated")
        if not faults:
            return ""
        states = f"promises {self.promised:.2f} s of sound and " if short else ""
        return f"{self.data.name} {' and '.join(faults)}; it {states}holds {seconds:.2f} s"

    def _blocks(self) -> Iterator[Block]:
        """What libsndfile decodes, until it fails."""
        try:
            scale = self._scale()
            for number, part in enumerate(self.survey.parts):
                found = promised = 0
                rate = 1
                try:
                    for block in sndfile.blocks(self.data, self.survey, part, self.chunk_seconds):
                        self._check(block.samples)
                        found, promised, rate = found + len(block.samples), block.promised, block.rate
                        yield Block(block.samples * scale, block.rate) if scale != 1.0 else block
                        self._tell(number + found / max(promised, found), len(self.survey.parts) if promised else 0)
                finally:
                    self._promise(part, found, promised, rate)
        except SndfileError as error:
            self.failed = error

    def _tell(self, done: float, total: float) -> None:
        if self.report is not None and total > 0.0:
            self.report(min(done / total, 1.0))

    def _promise(self, part: Part, found: int, promised: int, rate: int) -> None:
        """Compares what a part promises with what was found of it."""
        if part.share < 1.0:
            promised = max(promised, round(found / part.share))
        self.short = self.short or part.share < 1.0 or promised > found + _SLACK.get(self.survey.kind, 0)
        self.promised += max(found, promised) / rate

    def _scale(self) -> np.float32:
        peak = sndfile.peak(self.data, self.survey)
        scale = scale_of(peak)
        if scale is None:
            raise AudioError(f"Cannot use {self.data.name}: its peak is {peak:g}, where full scale is 1.")
        if scale != 1.0:
            text = f"{self.data.name} has a peak of {peak:g}, far beyond full scale, which is 1: it is divided by"
            warnings.warn(AudioWarning(f"{text} {1 / scale:g}."), stacklevel=2)
        return np.float32(scale)

    def _check(self, samples: np.ndarray) -> None:
        if not np.isfinite(samples).all():
            raise AudioError(
                f"Cannot use {self.data.name}: it holds values that are not finite numbers (NaN or infinity)."
            )

    def _by_ffmpeg(self, failed: SndfileError) -> Iterator[np.ndarray]:
        """What ffmpeg decodes beyond what was given already."""
        told, skipped = Told(), self.given
        try:
            with as_path(self.data) as path:
                for chunk in ffmpeg.samples(path, self.sample_rate, told):
                    self._check(chunk)
                    left, skipped = chunk[skipped:], max(skipped - len(chunk), 0)
                    if len(left):
                        self.given += len(left)
                        yield left
                        self._tell(self.given / self.sample_rate, told.seconds)
        except FfmpegError as error:
            if not self.given or error.broken:
                raise AudioError(f"Cannot read {self.data.name}: {self._reason(failed, error)}.") from None
            return
        self.told = told
        if not self.survey.checked and not told.film:
            seconds = self.given / self.sample_rate
            self.short = told.seconds > seconds + max(_END_SLACK, told.seconds / 50)
            self.promised = told.seconds

    def _reason(self, failed: SndfileError, error: FfmpegError) -> str:
        """Why nothing can be read: the reason of the reader that came furthest."""
        if error.broken:
            return error.reason
        faults = [*self.survey.faults, *("is truncated" for part in self.survey.parts if part.share < 1.0)]
        if faults:
            return f"it {faults[0]}, and nothing of its sound can be decoded{_advice(error)}"
        if error.known and not failed.known:
            return error.reason
        if self.survey.kind and not failed.known:
            why = "" if error.missing else f" ({error.reason})"
            return f"it begins as {self.survey.kind}, which libsndfile does not read{why}{_advice(error)}"
        return failed.reason + _advice(error)


def _advice(error: FfmpegError) -> str:
    return "; ffmpeg reads many more kinds, but is not installed" if error.missing else ""


def _resampled(blocks: Iterator[Block], to_rate: int) -> Iterator[np.ndarray]:
    """Parts of one rate that follow each other are resampled as one sound."""
    for rate, group in itertools.groupby(blocks, key=lambda block: block.rate):
        samples = (block.samples for block in group)
        yield from samples if rate == to_rate else resampled(samples, rate, to_rate)


def resampled(blocks: Iterator[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    """Resamples a stream of blocks [s]; a sound is never shorter than a sample."""
    resampler = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    total_in = 0
    for block in blocks:
        total_in += len(block)
        chunk = resampler.resample_chunk(block)
        if len(chunk):
            yield chunk
    if not total_in:
        return
    # One sample at 96 kHz is a quarter of one at 24 kHz: zeros after the end bring it up to a whole one.
    missing = max(0, -(-from_rate // to_rate) - total_in)
    chunk = resampler.resample_chunk(np.zeros(missing, np.float32), last=True)
    if len(chunk):
        yield chunk
