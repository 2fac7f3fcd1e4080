"""A recording is found again whatever was done to it but a change of speed; others are not."""

from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.data.fingerprints import SAMPLE_RATE, fingerprint, overlaps
from makesomenoise.data.manifest import Clip, read_clips

RATE = 24_000


def melody(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Notes of three partials each, with noise: something that has a face."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    waveform = 0.002 * rng.standard_normal(len(times))
    for start in np.arange(0.0, seconds, 0.15):
        hz = float(rng.uniform(200.0, 2500.0))
        fading = np.where(times >= start, np.exp(-6.0 * (times - start)), 0.0)
        waveform += 0.1 * fading * sum(np.sin(2 * np.pi * n * hz * times) / n for n in (1, 2, 3))
    return (waveform / np.abs(waveform).max() * 0.5).astype(np.float32)


def saved(folder: Path, sounds: dict[str, np.ndarray]) -> list[Clip]:
    folder.mkdir()
    for name, waveform in sounds.items():
        io.save(folder / name, waveform)
    return read_clips([folder])


def test_recoded_softer_and_cut_copies_are_found(tmp_path: Path):
    originals = saved(tmp_path / "a", {f"{seed}.wav": melody(seed) for seed in range(6)})
    copies = saved(tmp_path / "b", {
        "cut.wav": 0.3 * melody(2)[round(0.77 * RATE) :],
        "noisy.wav": melody(4) + 0.005 * np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32),
        "coded.mp3": melody(5),
        "other.wav": melody(77),
    })  # fmt: skip
    found = overlaps(originals, copies)
    assert {(one.second, one.first) for one in found} == {("coded", "5"), ("cut", "2"), ("noisy", "4")}
    cut = next(one for one in found if one.second == "cut")
    assert cut.offset == pytest.approx(-0.77, abs=0.02)
    assert all(0.1 <= one.share <= 1.0 for one in found)


def test_another_speed_escapes(tmp_path: Path):
    original = melody(1)
    faster = np.interp(np.arange(0, len(original), 1.12), np.arange(len(original)), original).astype(np.float32)
    assert overlaps(saved(tmp_path / "a", {"a.wav": original}), saved(tmp_path / "b", {"b.wav": faster})) == []


def test_silence_noise_and_broken_files_are_in_nothing(tmp_path: Path):
    noise = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32) * 0.1
    clips = saved(
        tmp_path / "a", {"silent.wav": np.zeros(RATE, np.float32), "noise.wav": noise, "short.wav": noise[:200]}
    )
    (tmp_path / "a" / "broken.wav").write_text("words")
    others = saved(tmp_path / "b", {"silent.wav": np.zeros(2 * RATE, np.float32), "noise.wav": noise[::-1].copy()})
    assert len(fingerprint(np.zeros(SAMPLE_RATE, np.float32)).hashes) == 0
    assert overlaps([*clips, *read_clips([tmp_path / "a" / "broken.wav"])], others) == []
    told: list[tuple[int, int]] = []
    assert overlaps([], others, report=lambda done, total: told.append((done, total))) == []
    assert told[-1] == (2, 2)
