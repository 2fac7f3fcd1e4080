"""The arrays say what the torch modules do, of which `test_griffin_lim` says what they are."""

import numpy as np
import pytest
import torch

from makesomenoise.audio.mel import MelConfig
from makesomenoise.vocoder import griffin_lim
from makesomenoise.vocoder.spectral import Fourier, GriffinLim

MEL = MelConfig(n_fft=128, hop_samples=32, n_mels=12)


@pytest.mark.parametrize("frames", [1, 3, 40])
def test_transforms_are_those_of_torch(frames: int) -> None:
    waveform = np.random.default_rng(frames).standard_normal((2, frames * 32), np.float32)
    spectrum = griffin_lim.Stft(128, 32)(torch.from_numpy(waveform))
    np.testing.assert_allclose(Fourier(128, 32).forward(waveform), spectrum.numpy(), atol=1e-4)
    back = griffin_lim.InverseStft(128, 32)(spectrum)
    np.testing.assert_allclose(Fourier(128, 32).inverse(spectrum.numpy()), back.numpy(), atol=1e-4)


def test_the_search_is_that_of_torch_from_the_same_phases() -> None:
    mel = np.random.default_rng(0).standard_normal((2, 12, 70), np.float32)
    expected = griffin_lim.GriffinLim(MEL, rounds=3)
    ours = GriffinLim(MEL, rounds=3)
    assert ours.context_frames == expected.context_frames
    np.testing.assert_allclose(ours(mel), expected(torch.from_numpy(mel)).numpy(), atol=1e-3)
