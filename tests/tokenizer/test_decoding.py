"""What more passes of the decoder bring, on the demo's clips: nothing is lost by them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from makesomenoise import AudioTokenizer
from makesomenoise.audio import io
from makesomenoise.audio.mel import MelConfig, MelSpectrogram

CLIPS = [Path(__file__).parents[2] / "demo_clips" / f"{name}.flac" for name in ("rain", "siren", "clapping", "gate")]
SECONDS = 2.0
PASSES = (1, 2, 4)


def log_mel(waveform: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(MelSpectrogram(MelConfig())(waveform[None])[0], 1e-3))


def grain(mel: np.ndarray) -> float:
    """Mean step from frame to frame where there is sound: smoothing is what makes decoded sound unrecognisable."""
    return float(np.abs(np.diff(mel, axis=1))[mel[:, 1:] > mel.max() - 7.0].mean())


@pytest.mark.slow
def test_more_passes_are_never_worse_than_fewer():
    tokenizer = AudioTokenizer.load("default")
    distances, grains = {passes: [] for passes in PASSES}, {passes: [] for passes in PASSES}
    for clip in CLIPS:
        waveform = np.asarray(io.load(clip))[: int(SECONDS * 24_000)]
        codes, original = tokenizer.encode(waveform[None]), log_mel(waveform)
        for passes in PASSES:
            mel = log_mel(tokenizer.decode(codes, steps=passes, seed=0)[0, : len(waveform)])
            distances[passes].append(np.abs(mel.mean(1) - original.mean(1)).mean())
            grains[passes].append(grain(mel) / grain(original))
    for fewer, more in pairwise(PASSES):
        assert np.mean(distances[more]) < np.mean(distances[fewer]) + 0.03  # nepers, between mean spectra
        assert np.mean(grains[more]) > 0.9 * np.mean(grains[fewer])
    assert np.mean(grains[PASSES[-1]]) == pytest.approx(1.0, abs=0.2)
