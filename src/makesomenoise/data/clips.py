"""Clips as training examples: decoded waveforms, and an endless stream of fixed-length crops.

Example number `n` depends on the seed and on `n` alone, so a run that is resumed, or spread over several devices, sees
exactly the examples that an uninterrupted run on one device would have seen.
"""

import hashlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from makesomenoise.audio import io
from makesomenoise.config import Config
from makesomenoise.data.manifest import Clip
from makesomenoise.files import atomic_write, make_folder

_log = logging.getLogger(__name__)

NO_LABEL = -100
_GAP_SECONDS = 0.3
_SHORTEST_SECONDS = 0.25
_CLIPS_PER_CROP = 3
_TAPS = 32


def decode(clip: Clip, sample_rate: int) -> np.ndarray:
    """The float32 waveform [S] of a clip as its file has it, S > 0; of a truncated clip what can be read.

    Args:
        clip: to be read.
        sample_rate: of the waveform, Hz.

    Raises:
        AudioError: if nothing of it can be read.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", io.AudioWarning)
        try:
            waveform = io.load(_source(clip), sample_rate)
        except (io.AudioError, OSError) as error:
            raise io.AudioError(f"Clip {clip.key}: {error}") from None
    for warning in caught:
        # Hours into a run, one truncated clip among thousands is no reason to stop.
        _log.warning("clip %s: %s", clip.key, warning.message)
    return waveform


def _source(clip: Clip) -> io.Source:
    """A plain file, which may be long, is read where it lies."""
    if clip.offset == 0:
        return clip.path
    data = BytesIO(clip.read())
    data.name = f"{clip.path}[{clip.key}]"
    return data


class AugmentConfig(Config):
    """How crops are varied.

    Attributes:
        gain_db: the crop is scaled by a random gain within plus or minus this many decibels.
        mix_probability: chance that a second, quieter sound is added.
        mix_db: level of the second sound relative to the first, lowest and highest, dB.
        tilt_db: the spectrum is tilted by a random slope of at most this many decibels from 0 Hz to half the rate.
        speed_probability: chance that a clip is played faster or slower.
        speed_octaves: by at most so much.
    """

    gain_db: float = 6.0
    mix_probability: float = 0.25
    mix_db: tuple[float, float] = (-20.0, -3.0)
    tilt_db: float = 6.0
    speed_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    speed_octaves: float = Field(default=0.17, ge=0.0)


class ClipStore:
    """Waveforms of clips in 16 bits, decoded once where there is a cache.

    What is in the cache is mapped to memory, where processes share it and the system drops it when memory is short.
    Without one, the clips that were asked for last are kept, up to `memory` bytes.

    Args:
        clips: the clips, numbered by their place here.
        sample_rate: rate of the waveforms, Hz.
        cache: folder that keeps decoded clips for later runs; several processes may share it.
        memory: most bytes of what is kept without a cache.
    """

    def __init__(
        self, clips: Sequence[Clip], sample_rate: int, cache: str | Path | None = None, memory: int = 512 * 2**20
    ):
        self.clips = list(clips)
        self.sample_rate = sample_rate
        self._cache = Path(cache) if cache is not None else None
        self._decoded: dict[int, np.ndarray] = {}  # the one that was asked for last at the end
        self._room = memory

    def __len__(self) -> int:
        return len(self.clips)

    def waveform(self, index: int) -> np.ndarray:
        """Float32 samples [S] of clip `index`."""
        path = self.place(self.clips[index])
        samples = self._kept(index) if path is None else self._mapped(self.clips[index], path)
        return samples.astype(np.float32) / 32767.0

    def _kept(self, index: int) -> np.ndarray:
        samples = self._decoded.pop(index, None)
        if samples is None:
            samples = _in_16_bits(decode(self.clips[index], self.sample_rate))
            self._room -= samples.nbytes
        self._decoded[index] = samples
        while self._room < 0 and len(self._decoded) > 1:
            self._room += self._decoded.pop(next(iter(self._decoded))).nbytes
        return samples

    def forget(self, index: int) -> None:
        """Gives back the memory of clip `index`; it is decoded again where it is asked for."""
        samples = self._decoded.pop(index, None)
        self._room += samples.nbytes if samples is not None else 0

    def place(self, clip: Clip) -> Path | None:
        """Where a decoded clip lies, or is to lie, in the cache; nothing where there is none."""
        return None if self._cache is None else self._cache / f"{self._name(clip)}.npy"

    def name(self, index: int) -> str:
        """What clip `index` is called in a cache, by the place of its file and the rate."""
        return self._name(self.clips[index])

    def _name(self, clip: Clip) -> str:
        identity = f"{clip.path.resolve()}:{clip.offset}:{clip.size}:{self.sample_rate}"
        return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:24]

    def _mapped(self, clip: Clip, path: Path) -> np.ndarray:
        if not path.exists():
            make_folder(path.parent)
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.save(file, _in_16_bits(decode(clip, self.sample_rate)))
        return np.load(path, mmap_mode="r")


def frequent_labels(clips: Sequence[Clip], minimum: int) -> list[str]:
    """Labels that at least `minimum` clips carry, in alphabetical order."""
    counts = Counter(clip.label for clip in clips if clip.label)
    return sorted(label for label, count in counts.items() if count >= minimum)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a clip in a stretch that was filled with clips; lengths are entries of the stretch.

    Attributes:
        clip: number of the clip.
        start: where the part begins in the stretch.
        stop: where it ends.
        skipped: how much of the clip comes before it.
        whole: length of the clip.
    """

    clip: int
    start: int
    stop: int
    skipped: int
    whole: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What lies where in a stretch that was filled with clips.

    Attributes:
        labels: [N] int64, number of the label that sounds there, `NO_LABEL` where there is none.
        sounding: [N] bool, whether any part of a clip lies there.
        parts: what was put there, in order.
    """

    labels: np.ndarray
    sounding: np.ndarray
    parts: tuple[Part, ...]


class Answers(Protocol):
    """Who says more of clips than their labels do; see `data.teaching`."""

    def answers(self, parts: Sequence[Part], places: int, per_place: int) -> np.ndarray:
        """Values [N, V] float32 for the N places of a stretch, `per_place` entries each; NaN where nothing is known."""
        ...


class Sequences:
    """Random sequences of clips: a stretch that a clip does not fill goes on with further clips.

    Args:
        clips: the clips.
        labels: names that are told apart; a clip of another label has none.
        shares: share of the draws that go to the clips of a dataset; what is left goes to all the others.
    """

    def __init__(self, clips: Sequence[Clip], labels: Sequence[str] = (), shares: Mapping[str, float] | None = None):
        numbers = {label: number for number, label in enumerate(labels)}
        self._labels = [numbers.get(clip.label, NO_LABEL) for clip in clips]
        # The root of the length: a longer clip holds more to learn, but a minute of rain not sixty seconds of clicks.
        weights = np.sqrt([max(clip.seconds, 0.5) for clip in clips])
        self._cumulative = np.cumsum(_shared(weights, [clip.dataset for clip in clips], shares or {}))

    def fill(
        self,
        rng: np.random.Generator,
        out: np.ndarray,
        read: Callable[[int], np.ndarray],
        per_second: float,
        per_label: int,
    ) -> Filled:
        """Writes clips into `out` one after another, with short gaps.

        Args:
            rng: source of randomness.
            out: [S, ...], filled with silence; changed.
            read: from a clip's number to its content [s, ...].
            per_second: entries of `out` in a second.
            per_label: entries of `out` for each of the N = S // per_label places of the result.
        """
        at, labels = 0, np.full(len(out) // per_label, NO_LABEL, np.int64)
        sounding, parts = np.zeros(len(labels), bool), []
        for number in range(_CLIPS_PER_CROP):
            room = len(out) - at
            if number and room < _SHORTEST_SECONDS * per_second:
                break
            index = self._draw(rng)
            content = read(index)
            skip = int(rng.integers(0, max(len(content) - room, 0) + 1))
            part = content[skip : skip + room]
            out[at : at + len(part)] = part
            end = -(-(at + len(part)) // per_label)
            labels[-(-at // per_label) : end] = self._labels[index]
            sounding[at // per_label : end] = True
            parts.append(Part(index, at, at + len(part), skip, len(content)))
            at += len(part) + int(rng.integers(0, int(_GAP_SECONDS * per_second)))
        return Filled(labels, sounding, tuple(parts))

    def _draw(self, rng: np.random.Generator) -> int:
        return min(int(np.searchsorted(self._cumulative, rng.random())), len(self._cumulative) - 1)


class Crops(Dataset[dict[str, Tensor]]):
    """Endless random crops of waveform.

    Each example is a dict of `waveform` [S] float32 in [-1, 1] and, for each of the N = S // label_samples codes,
    `labels` [N] int64 and `sounding` [N] bool, see `Filled`. A second sound that is mixed in counts as sounding.
    With a teacher there is also `taught` [N, V] float32, what it answers of the first sound.
    """

    def __init__(
        self,
        store: ClipStore,
        crop_samples: int,
        label_samples: int,
        sequences: Sequences,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        teacher: Answers | None = None,
    ):
        self.store = store
        self.crop_samples = crop_samples
        self.label_samples = label_samples
        self.augment = augment
        self.seed = seed
        self._sequences, self._teacher = sequences, teacher

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, number])
        waveform, filled = self._sequence(rng)
        sounding = filled.sounding
        if self.augment is not None:
            if rng.random() < self.augment.mix_probability:
                other, second = self._sequence(rng)
                waveform, sounding = (
                    _mixed(waveform, other, rng.uniform(*self.augment.mix_db)),
                    sounding | second.sounding,
                )
            waveform = _varied(waveform, self.augment, rng)
        example = {"waveform": waveform, "labels": filled.labels, "sounding": sounding}
        if self._teacher is not None:
            example["taught"] = self._teacher.answers(filled.parts, len(filled.labels), self.label_samples)
        return {name: torch.from_numpy(values) for name, values in example.items()}

    def _sequence(self, rng: np.random.Generator) -> tuple[np.ndarray, Filled]:
        waveform = np.zeros(self.crop_samples, np.float32)

        def read(index: int) -> np.ndarray:
            return self._played(self.store.waveform(index), rng)

        return waveform, self._sequences.fill(rng, waveform, read, self.store.sample_rate, self.label_samples)

    def _played(self, waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        augment = self.augment
        if augment is None or not augment.speed_probability or rng.random() >= augment.speed_probability:
            return waveform
        speed = 2.0 ** rng.uniform(-augment.speed_octaves, augment.speed_octaves)
        # Between neighbours in a straight line: what that takes from the highest octave is one more variation.
        places = np.arange(0.0, len(waveform) - 1, speed)
        return np.interp(places, np.arange(len(waveform)), waveform).astype(np.float32)


def _mixed(waveform: np.ndarray, other: np.ndarray, level_db: float) -> np.ndarray:
    level = level_db + _decibels(waveform) - _decibels(other)
    return waveform + other * np.float32(10.0 ** (min(level, 0.0) / 20.0))


def _varied(waveform: np.ndarray, augment: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    if augment.tilt_db:
        waveform = _tilted(waveform, rng.uniform(-augment.tilt_db, augment.tilt_db))
    gain = 10.0 ** (rng.uniform(-augment.gain_db, augment.gain_db) / 20.0)
    peak = float(np.abs(waveform).max())
    return (waveform * min(gain, 1.0 / max(peak, 1e-4))).astype(np.float32)


def _in_16_bits(waveform: np.ndarray) -> np.ndarray:
    return np.round(waveform.clip(-1.0, 1.0) * 32767.0).astype(np.int16)


def _shared(weights: np.ndarray, datasets: Sequence[str], shares: Mapping[str, float]) -> np.ndarray:
    names = np.array(datasets)
    present = {name: share for name, share in shares.items() if (names == name).any()}
    others = ~np.isin(names, list(present))
    result = np.where(others, weights / max(weights[others].sum(), 1e-9) * (1.0 - sum(present.values())), 0.0)
    for name, share in present.items():
        chosen = names == name
        result[chosen] = share * weights[chosen] / weights[chosen].sum()
    return result / result.sum()


def _decibels(waveform: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(waveform**2) + 1e-8))


def _tilted(waveform: np.ndarray, decibels: float) -> np.ndarray:
    # A slope that smooth is a short filter, at a third of the cost of transforming the whole crop.
    gains = 10.0 ** (np.linspace(-decibels / 2, decibels / 2, _TAPS // 2 + 1) / 20.0)
    taps = np.fft.fftshift(np.fft.irfft(gains, _TAPS)).astype(np.float32)
    return np.convolve(waveform, taps, "same")
