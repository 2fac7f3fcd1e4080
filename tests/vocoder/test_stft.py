import pytest
import torch

from makesomenoise.vocoder.griffin_lim import InverseStft, Stft


@pytest.mark.parametrize("frames", [1, 2, 3, 9])
@pytest.mark.parametrize("n_fft", [64, 128])
def test_the_inverse_gives_the_waveform_back_up_to_its_ends(n_fft: int, frames: int) -> None:
    waveform = torch.randn(2, frames * 16, generator=torch.Generator().manual_seed(0))
    spectrum = Stft(n_fft, 16)(waveform)
    assert spectrum.shape == (2, frames, n_fft // 2 + 1)
    torch.testing.assert_close(InverseStft(n_fft, 16)(spectrum), waveform, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frame", [0, 3, 5])
def test_a_frame_is_centred_on_its_multiple_of_the_hop(frame: int) -> None:
    spectrum = torch.zeros(1, 6, 33, dtype=torch.complex64)
    spectrum[:, frame] = (-1.0) ** torch.arange(33)  # an impulse in the middle of the window
    waveform = InverseStft(64, 16)(spectrum)[0]
    assert waveform.abs().argmax() == frame * 16
    assert (waveform.abs() > 1e-6).sum() == 1
