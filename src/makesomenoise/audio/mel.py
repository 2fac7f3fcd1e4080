"""The one log-mel spectrogram of the project, compatible with Vocos; knows no files and no network.

Convention (Vocos, `vocos-mel-24khz`): Hann window, magnitude (not power), HTK mel scale, filters without area
normalisation, natural logarithm of max(x, 1e-7), frames centred on multiples of the hop. Two things differ on purpose:
the signal is extended with zeros, not by reflection, so that any length works and a window of a long file gives the
same frames as the whole file; and there are exactly ceil(S / hop) frames.
"""

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise.config import Config

FLOOR = 1e-7
_LEAST_POWER = 1e-24


class MelConfig(Config):
    """Settings of the log-mel.

    Attributes:
        sample_rate: samples a second, Hz.
        n_fft: length of the window and of the transform, samples.
        hop_samples: distance between frames, samples.
        n_mels: number of mel bands M.
    """

    sample_rate: int = 24_000
    n_fft: int = 1024
    hop_samples: int = 256
    n_mels: int = 100

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop_samples


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """HTK mel of a frequency in Hz."""
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def mel_filters(config: MelConfig) -> Tensor:
    """Triangular HTK filters [M, n_fft // 2 + 1] from 0 Hz to half the sample rate, peak 1, no normalisation."""
    bins = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)
    top = hz_to_mel(np.array(config.sample_rate / 2))
    edges = mel_to_hz(np.linspace(0.0, top, config.n_mels + 2))
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.maximum(0.0, np.minimum(rising, falling))).float()


class LogMel(nn.Module):
    """Waveform to log-mel frames."""

    filters: Tensor
    window: Tensor

    def __init__(self, config: MelConfig):
        super().__init__()
        self.config = config
        self.register_buffer("filters", mel_filters(config), persistent=False)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of whole signals.

        Args:
            waveform: [B, S], nominally in [-1, 1].

        Returns:
            [B, M, T] with T = ceil(S / hop); frame i is centred on sample i * hop.
        """
        hop, half = self.config.hop_samples, self.config.n_fft // 2
        frames = -(-waveform.shape[-1] // hop)
        right = (frames - 1) * hop + half - waveform.shape[-1]
        return self.valid(nn.functional.pad(waveform, (half, right)))

    def valid(self, padded: Tensor) -> Tensor:
        """Log-mel of the frames that lie fully inside `padded` [B, S]: [B, M, (S - n_fft) // hop + 1]."""
        frames = padded.unfold(-1, self.config.n_fft, self.config.hop_samples)
        return (magnitude(torch.fft.rfft(frames * self.window)) @ self.filters.T).clamp_min(FLOOR).log().transpose(1, 2)


def magnitude(spectrum: Tensor) -> Tensor:
    """Absolute values of complex numbers, four times as fast as `abs` on a CPU; never 0: gradients stay finite."""
    return power(spectrum).sqrt()


def power(spectrum: Tensor) -> Tensor:
    """Squared absolute values of complex numbers; never 0."""
    real, imaginary = spectrum.real, spectrum.imag
    return torch.addcmul(torch.addcmul(real.new_tensor(_LEAST_POWER), real, real), imaginary, imaginary)
