"""The one log-mel spectrogram of the project, compatible with Vocos; knows no files and no network.

Convention (Vocos, `vocos-mel-24khz`): Hann window, magnitude (not power), HTK mel scale, filters without area
normalisation, natural logarithm of max(x, 1e-7), frames centred on multiples of the hop. Two things differ on purpose:
the signal is extended with zeros, not by reflection, so that any length works and a window of a long file gives the
same frames as the whole file; and there are exactly ceil(S / hop) frames.

Here it is on arrays, for all that runs a trained model; `nn.log_mel` is the same in torch, for what trains one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from makesomenoise.config import Config

FLOOR = 1e-7


class MelConfig(Config):
    """Settings of the log-mel.

    Attributes:
        sample_rate: samples a second, Hz.
        n_fft: length of the window and of the transform, samples.
        hop_samples: distance between frames, samples.
        n_mels: number of mel bands M.
        high_pass_hz: bins of the transform below this are not heard, Hz; 0 hears all. The window spreads a constant
            over bins 0 and 1 and no others, so that an offset changes nothing from 1.5 times their distance on.
    """

    sample_rate: int = 24_000
    n_fft: int = 1024
    hop_samples: int = 256
    n_mels: int = 100
    high_pass_hz: float = Field(default=0.0, ge=0.0)

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A high-pass that is off is not written: fingerprints from before there was one count what is written."""
        return {name: value for name, value in handler(self).items() if name != "high_pass_hz" or value}

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


def mel_filters(config: MelConfig) -> np.ndarray:
    """Triangular HTK filters [M, n_fft // 2 + 1] from 0 Hz to half the sample rate, peak 1, no normalisation.

    They have weights of 0 below the high-pass.
    """
    bins = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)
    top = hz_to_mel(np.array(config.sample_rate / 2))
    edges = mel_to_hz(np.linspace(0.0, top, config.n_mels + 2))
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    heard = bins >= config.high_pass_hz
    return (np.maximum(0.0, np.minimum(rising, falling)) * heard).astype(np.float32)


def hann_window(n_fft: int) -> np.ndarray:
    """The periodic Hann window [n_fft]."""
    return (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


class MelSpectrogram:
    """Waveforms to log-mel frames, as arrays.

    Args:
        config: settings.
    """

    def __init__(self, config: MelConfig):
        self._config = config
        self._filters, self._window = mel_filters(config), hann_window(config.n_fft)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Log-mel of whole signals.

        Args:
            waveform: [B, S] float32, nominally in [-1, 1].

        Returns:
            [B, M, T] with T = ceil(S / hop); frame i is centred on sample i * hop.
        """
        hop, half = self._config.hop_samples, self._config.n_fft // 2
        frames = -(-waveform.shape[-1] // hop)
        right = (frames - 1) * hop + half - waveform.shape[-1]
        # A negative end is cut: the last frames of a whole signal reach no further than half a window.
        padded = np.pad(waveform, ((0, 0), (half, max(right, 0))))[:, : (frames - 1) * hop + 2 * half]
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half, axis=-1)[:, ::hop]
        spectrum = np.fft.rfft(windows * self._window)
        return np.log(np.maximum(magnitude(spectrum) @ self._filters.T, FLOOR)).transpose(0, 2, 1)


def magnitude(spectrum: NDArray[np.complexfloating]) -> np.ndarray:
    """Absolute values of complex numbers, several times as fast as `np.abs`."""
    return np.sqrt(spectrum.real * spectrum.real + spectrum.imag * spectrum.imag)
