"""Simple sounds made by formulas, whose labels are exact: what somebody tries first, and no collection has.

Tones, sweeps, chords, clicks, noises of all colours, the hum of the mains, and silence. Their names stand in the
ontology; sound number `n` depends on the seed and on `n` alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from makesomenoise.data.tar_shards import PreparedClip, TarShards, claim, encoded

DATASET = "simple"
_LOW_HZ, _HIGH_HZ = 250.0, 2000.0  # below and above, a tone is called low and high
_SECONDS = (1.0, 4.0)
_LEVEL_DB = (-36.0, -12.0)
_SILENT_DB = (-120.0, -85.0)
_CHORDS = ((1.0, 5 / 4, 3 / 2), (1.0, 6 / 5, 3 / 2), (1.0, 4 / 3, 5 / 3), (1.0, 5 / 4, 3 / 2, 15 / 8))
_COLOURS = {"white noise": 0.0, "pink noise": -0.5, "brown noise": -1.0, "blue noise": 0.5}  # powers of frequency
_FADE_SECONDS = 0.01


@dataclass(frozen=True)
class SimpleSound:
    """A sound and what it is.

    Attributes:
        waveform: [S] float32 in [-1, 1].
        label: a name of the ontology.
        title: the same with its numbers.
    """

    waveform: np.ndarray
    label: str
    title: str


def simple_sound(number: int, seed: int, sample_rate: int) -> SimpleSound:
    """Sound `number`; the kinds take turns.

    Args:
        number: from 0.
        seed: the same seed gives the same sounds.
        sample_rate: Hz.
    """
    rng = np.random.default_rng([seed, number])
    kinds: tuple[Callable[[np.random.Generator, np.ndarray], SimpleSound], ...]
    kinds = (_tone, _sweep, _chord, _clicks, _beeps, _noise, _hum, _silence)
    seconds = float(rng.uniform(*_SECONDS))
    return kinds[number % len(kinds)](rng, np.arange(round(seconds * sample_rate)) / sample_rate)


def prepare_simple(output: str | Path, count: int, seed: int = 0, sample_rate: int = 24_000) -> int:
    """Writes simple sounds as tar shards, `train-00000.tar` and so on; those that are there already stay.

    Args:
        output: folder of the shards; made if missing.
        count: how many sounds.
        seed: see `simple_sound`.
        sample_rate: Hz.

    Returns:
        Number of shards.

    Raises:
        ShardError: if the folder holds another preparation.
        FileError: if it cannot be written.
    """
    claim(Path(output), "train", {"source": DATASET, "count": count, "seed": seed, "sample_rate": sample_rate})
    shards = TarShards(Path(output), "train")
    for number in range(count):
        sound = simple_sound(number, seed, sample_rate)
        record = {"dataset": DATASET, "split": "train", "label": sound.label, "title": sound.title}
        record |= {"trust": "exact", "license": "CC0-1.0"}
        key = f"{DATASET}-{seed}-{number:06d}"
        shards.add(PreparedClip(key, encoded(sound.waveform, sample_rate), ".flac", record))
    return shards.close()


def _tone(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    hz = _pitch(rng)
    name = "low tone" if hz < _LOW_HZ else "high tone" if hz > _HIGH_HZ else "tone"
    return _levelled(np.sin(2 * np.pi * hz * times), name, f"a {name} of {hz:.0f} Hz", rng)


def _sweep(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    start, stop = np.sort(np.exp(rng.uniform(np.log(120.0), np.log(8000.0), 2)))
    stop = max(stop, 1.5 * start)
    rising = bool(rng.random() < 0.5)  # noqa: PLR2004 - even chances
    first, last = (start, stop) if rising else (stop, start)
    hz = first * (last / first) ** (times / max(times[-1], 1e-9))
    name = "rising tone" if rising else "falling tone"
    waveform = np.sin(2 * np.pi * np.cumsum(hz) * (times[1] - times[0]))
    return _levelled(waveform, name, f"a tone from {first:.0f} to {last:.0f} Hz", rng)


def _chord(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    root = float(np.exp(rng.uniform(np.log(150.0), np.log(800.0))))
    ratios = _CHORDS[int(rng.integers(len(_CHORDS)))]
    waveform = np.sum([np.sin(2 * np.pi * (root * ratio * times + rng.random())) for ratio in ratios], axis=0)
    return _levelled(waveform, "chord", f"a chord of {len(ratios)} tones from {root:.0f} Hz", rng)


def _clicks(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    rate = 1.0 / (times[1] - times[0])
    count = int(rng.integers(2, 9))
    waveform = np.zeros_like(times)
    for start in np.linspace(0.05, times[-1] - 0.1, count):
        length = round(rate * float(rng.uniform(0.002, 0.008)))
        first = round(start * rate)
        waveform[first : first + length] = rng.standard_normal(length) * np.exp(-np.linspace(0.0, 5.0, length))
    return _peaked(waveform, "clicks", f"{count} clicks", rng)


def _beeps(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    hz, count, length = float(rng.uniform(600.0, 3000.0)), int(rng.integers(1, 4)), float(rng.uniform(0.1, 0.25))
    inside = np.zeros_like(times)
    for number in range(count):
        start = 0.1 + number * 2.0 * length
        inside[(times >= start) & (times < start + length)] = 1.0
    title = f"{count} beeps of {hz:.0f} Hz" if count > 1 else f"a beep of {hz:.0f} Hz"
    return _peaked(np.sin(2 * np.pi * hz * times) * inside, "beep", title, rng)


def _noise(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    name = list(_COLOURS)[int(rng.integers(len(_COLOURS)))]
    spectrum = np.fft.rfft(rng.standard_normal(len(times)))
    places = np.maximum(np.fft.rfftfreq(len(times)) * 24_000.0, 20.0)
    return _levelled(np.fft.irfft(spectrum * places ** _COLOURS[name], len(times)), name, name, rng)


def _hum(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    hz = 50.0 if rng.random() < 0.5 else 60.0  # noqa: PLR2004 - even chances
    parts = [np.sin(2 * np.pi * (n * hz * times + rng.random())) * rng.random() / n for n in range(1, 12)]
    return _levelled(np.sum(parts, axis=0), "mains hum", f"the hum of a line of {hz:.0f} Hz", rng)


def _silence(rng: np.random.Generator, times: np.ndarray) -> SimpleSound:
    if rng.random() < 0.5:  # noqa: PLR2004 - even chances
        return SimpleSound(np.zeros(len(times), np.float32), "silence", "silence")
    hiss = rng.standard_normal(len(times)) * 10.0 ** (rng.uniform(*_SILENT_DB) / 20.0)
    return SimpleSound(hiss.astype(np.float32), "silence", "silence")


def _pitch(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(90.0), np.log(8000.0))))


def _levelled(waveform: np.ndarray, label: str, title: str, rng: np.random.Generator) -> SimpleSound:
    """The waveform at a level drawn at random, fading in and out."""
    level = float(np.sqrt(np.mean(np.square(waveform)))) + 1e-12
    waveform = waveform * 10.0 ** (rng.uniform(*_LEVEL_DB) / 20.0) / level
    size = min(max(round(len(waveform) * _FADE_SECONDS), 1), len(waveform) // 2)
    ramp = np.linspace(0.0, 1.0, size)
    waveform[:size] *= ramp
    waveform[len(waveform) - size :] *= ramp[::-1]
    return SimpleSound(np.clip(waveform, -1.0, 1.0).astype(np.float32), label, title)


def _peaked(waveform: np.ndarray, label: str, title: str, rng: np.random.Generator) -> SimpleSound:
    """A waveform that is silent between bursts, at a peak drawn at random."""
    gain = 10.0 ** (rng.uniform(-24.0, -3.0) / 20.0) / (float(np.abs(waveform).max()) + 1e-12)
    return SimpleSound((waveform * gain).astype(np.float32), label, title)
