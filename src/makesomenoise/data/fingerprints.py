"""Finds recordings of one corpus in another: peaks of the spectrogram, hashed in pairs, at one offset in time.

It survives recoding, another level and a trimmed start or end; a changed speed or pitch escapes it. After Wang, "An
Industrial-Strength Audio Search Algorithm" (ISMIR 2003).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.audio.io import AudioError
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip

SAMPLE_RATE = 16_000
_WINDOW, _HOP = 1024, 160  # samples; frames of a hundredth of a second, so that where a clip begins hardly matters
_AROUND_FRAMES, _AROUND_BINS = 12, 10  # a peak is the highest this far around it
_RANGE_DB, _FLOOR_DB = 60.0, -90.0  # below the highest place, and of full scale
_PEAKS_A_SECOND = 40
_PARTNERS, _NEAREST, _FARTHEST = 8, 2, 100  # frames
_COMMON = 400  # a hash that is in more places tells nothing
_FEWEST = 9  # pairs at one offset
_SLACK = 1  # frames

Report = Callable[[int, int], object]


@dataclass(frozen=True)
class Overlap:
    """A recording that is in both.

    Attributes:
        first: key of the clip of the first corpus.
        second: key of the clip of the second corpus.
        share: of the pairs of peaks of the one that has fewer, those that are in the other too, 0 to 1.
        offset: where the first clip begins in the second, seconds; negative: the second begins later.
    """

    first: str
    second: str
    share: float
    offset: float


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Pairs of peaks.

    Attributes:
        hashes: [N] int64 of each pair.
        frames: [N] where its first peak is.
    """

    hashes: np.ndarray
    frames: np.ndarray


def fingerprint(waveform: np.ndarray) -> Fingerprint:
    """The pairs of peaks of a waveform [S] at `SAMPLE_RATE`; silence has none."""
    frames, bins = _peaks(_spectrogram(waveform))
    hashes, places = [], []
    for step in range(1, _PARTNERS + 1):
        apart = frames[step:] - frames[:-step]
        near = (apart >= _NEAREST) & (apart <= _FARTHEST)
        first, second = bins[:-step][near], bins[step:][near]
        hashes.append((first << 20) | (second << 8) | apart[near])
        places.append(frames[:-step][near])
    return Fingerprint(np.concatenate(hashes), np.concatenate(places))


def overlaps(
    first: Sequence[Clip], second: Sequence[Clip], least_share: float = 0.1, report: Report | None = None
) -> list[Overlap]:
    """The clips of one corpus that are, or are part of, clips of another; what cannot be read is in none.

    Args:
        first: one corpus; it is held in memory as fingerprints, some 10 kB a clip.
        second: the other.
        least_share: see `Overlap`.
        report: called with the numbers of clips listened to and of all.

    Returns:
        In the order of `second`, the surest first of each.
    """
    told = report or (lambda done, total: None)  # noqa: ARG005 - nobody is told
    total = len(first) + len(second)
    known = [_of(first, number, told, total, 0) for number in range(len(first))]
    index = _Index(known)
    found: list[Overlap] = []
    for number, clip in enumerate(second):
        asked = _of(second, number, told, total, len(first))
        matches = [match for match in index.matches(asked) if match.share >= least_share]
        found += [
            Overlap(first[match.number].key, clip.key, match.share, match.frames * _HOP / SAMPLE_RATE)
            for match in sorted(matches, key=lambda match: -match.share)
        ]
    return found


def _of(clips: Sequence[Clip], number: int, told: Report, total: int, before: int) -> Fingerprint:
    try:
        made = fingerprint(ClipStore([clips[number]], SAMPLE_RATE).waveform(0))
    except AudioError:
        made = Fingerprint(np.zeros(0, np.int64), np.zeros(0, np.int64))
    told(before + number + 1, total)
    return made


@dataclass(frozen=True)
class _Match:
    number: int
    share: float
    frames: int


class _Index:
    """Where each hash is in many clips."""

    def __init__(self, prints: Sequence[Fingerprint]):
        self._sizes = [len(one.hashes) for one in prints]
        hashes = np.concatenate([one.hashes for one in prints]) if prints else np.zeros(0, np.int64)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._clips = np.repeat(np.arange(len(prints)), self._sizes)[order]
        self._frames = np.concatenate([one.frames for one in prints])[order] if prints else hashes

    def matches(self, asked: Fingerprint) -> list[_Match]:
        """The clips that share pairs with one, at one offset."""
        left, right = (np.searchsorted(self._hashes, asked.hashes, side) for side in ("left", "right"))
        counts = np.where(right - left > _COMMON, 0, right - left)
        if not counts.sum():
            return []
        starts = np.repeat(left - np.concatenate(([0], np.cumsum(counts)[:-1])), counts)
        places = np.arange(counts.sum()) + starts
        offsets = np.repeat(asked.frames, counts) - self._frames[places]
        return self._best(self._clips[places], offsets, len(asked.hashes))

    def _best(self, clips: np.ndarray, offsets: np.ndarray, size: int) -> list[_Match]:
        """Of each clip the offset that most pairs agree on, a frame more or less."""
        found = []
        pairs, counts = np.unique(np.stack((clips, offsets)), axis=1, return_counts=True)
        for number in np.unique(pairs[0][counts >= _FEWEST // 3]):
            own = pairs[0] == number
            shifts, votes = pairs[1][own], counts[own]
            together = [int(votes[np.abs(shifts - shift) <= _SLACK].sum()) for shift in shifts]
            best = int(np.argmax(together))
            if together[best] >= _FEWEST:
                share = min(together[best] / max(min(size, self._sizes[int(number)]), 1), 1.0)
                found.append(_Match(int(number), share, int(shifts[best])))
        return found


def _spectrogram(waveform: np.ndarray) -> np.ndarray:
    """Levels [frames, bins], dB of full scale."""
    padded = np.pad(waveform.astype(np.float32), (0, max(_WINDOW - len(waveform), 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), axis=1)) ** 2
    return 10.0 * np.log10(power / (_WINDOW / 4) ** 2 + 1e-12)


def _peaks(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames and bins [P] of the highest places of their surroundings, in the order of time."""
    highest = _highest(_highest(levels, _AROUND_FRAMES, 0), _AROUND_BINS, 1)
    least = max(float(levels.max()) - _RANGE_DB, _FLOOR_DB)
    frames, bins = np.nonzero((levels >= highest) & (levels > least))
    most = max(round(_PEAKS_A_SECOND * len(levels) * _HOP / SAMPLE_RATE), 1)
    if len(frames) > most:
        kept = np.sort(np.argsort(-levels[frames, bins], kind="stable")[:most])
        frames, bins = frames[kept], bins[kept]
    return frames.astype(np.int64), bins.astype(np.int64)


def _highest(levels: np.ndarray, around: int, axis: int) -> np.ndarray:
    """The highest value from `around` places before to as many after, along an axis."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (around, around)
    padded = np.pad(levels, widths, constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1, axis=axis).max(-1)
