"""Fourier transforms over frames, and Griffin-Lim, on arrays; what runs a vocoder without torch needs no more.

Frames are those of the log-mel: frame i is centred on sample i * hop, and outside the signal are zeros. The torch
modules of this package, by which vocoders are trained, compute the same.
"""

import numpy as np
from numpy.typing import NDArray

from makesomenoise.audio.mel import MelConfig, hann_window, magnitude, mel_filters
from makesomenoise.config import Teacher

PERIOD = 32
_ROUNDS = 32
_MOMENTUM = np.float32(0.99)
_SMALLEST = np.float32(1e-8)


class Fourier:
    """Waveforms [B, T * hop] to complex frames [B, T, n_fft // 2 + 1] and back.

    Args:
        n_fft: length of a frame, an even multiple of the hop, at least four times as long.
        hop_samples: distance between frames.
    """

    def __init__(self, n_fft: int, hop_samples: int):
        self._n_fft, self._hop = n_fft, hop_samples
        self._window = hann_window(n_fft)

    def forward(self, waveform: np.ndarray) -> NDArray[np.complexfloating]:
        """The spectrum of each frame."""
        half = self._n_fft // 2
        padded = np.pad(waveform, ((0, 0), (half, half - self._hop)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._n_fft, axis=-1)[:, :: self._hop]
        return np.fft.rfft(frames * self._window)

    def inverse(self, spectrum: np.ndarray) -> np.ndarray:
        """The waveform whose frames are nearest to the spectrum.

        The sum of the windowed frames is divided by that of the squared windows that really overlap, which with
        windows of four hops or more is never below a quarter.
        """
        frames = np.fft.irfft(spectrum, n=self._n_fft) * self._window
        envelope = self._overlapped(np.broadcast_to(self._window**2, (1, *frames.shape[1:])))
        return (self._overlapped(frames) / envelope).reshape(len(frames), -1)

    def _overlapped(self, frames: np.ndarray) -> np.ndarray:
        """Sum of shifted frames [B, T, n_fft] as hops [B, T, hop]; the halves beyond the ends are dropped."""
        batch, count, _ = frames.shape
        overlap = self._n_fft // self._hop
        hops = frames.reshape(batch, count, overlap, self._hop)
        total = np.zeros((batch, count + overlap - 1, self._hop), np.float32)
        for k in range(overlap):
            total[:, k : k + count] += hops[:, :, k]
        return total[:, overlap // 2 : overlap // 2 + count]


class GriffinLim:
    """Vocoder without weights: fast Griffin-Lim (Perraudin et al. 2013).

    The same frames always give the same sound: the first phases repeat every `PERIOD` frames, so that also a window
    that starts at a multiple of it gives what the whole gives there.

    Args:
        mel: the log-mel it reads.
        rounds: rounds of the search.

    Attributes:
        fourier: its transforms.
        inverse_filters: [M, n_fft // 2 + 1] from mel bands to bins.
        first_turns: [PERIOD, n_fft // 2 + 1] the phases that the search begins with, in turns.
    """

    def __init__(self, mel: MelConfig, rounds: int = _ROUNDS):
        self.fourier = Fourier(mel.n_fft, mel.hop_samples)
        self._rounds = rounds
        self._reach = rounds * (mel.n_fft // mel.hop_samples - 1) + mel.n_fft // (2 * mel.hop_samples)
        self.inverse_filters = np.linalg.pinv(mel_filters(mel)).T
        self.first_turns = _first_turns(mel.n_fft // 2 + 1)
        self._turns = np.exp(2j * np.pi * self.first_turns).astype(np.complex64)

    @property
    def teachers(self) -> tuple[Teacher, ...]:
        """None: it was not trained."""
        return ()

    @property
    def context_frames(self) -> int:
        """Frames on either side that a sample depends on, a multiple of `PERIOD`."""
        return whole_periods(self._reach)

    def __call__(self, mel: np.ndarray) -> np.ndarray:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        return self.fourier.inverse(self.spectrum(mel))

    def spectrum(self, mel: np.ndarray) -> NDArray[np.complexfloating]:
        """Complex spectrum [B, T, n_fft // 2 + 1] with the magnitudes that the frames ask for and the phases found."""
        wanted = np.maximum(np.exp(mel.transpose(0, 2, 1)) @ self.inverse_filters, _SMALLEST)
        frames = mel.shape[-1]
        guess = wanted * np.tile(self._turns, (-(-frames // PERIOD), 1))[:frames]
        previous = np.zeros_like(guess)
        for _ in range(self._rounds):
            consistent = self.fourier.forward(self.fourier.inverse(guess))
            ahead = consistent + _MOMENTUM * (consistent - previous)
            guess = ahead * (wanted / np.maximum(magnitude(ahead), _SMALLEST))
            previous = consistent
        return guess


def whole_periods(frames: int) -> int:
    """The next multiple of `PERIOD`."""
    return -(-frames // PERIOD) * PERIOD


def _first_turns(bins: int) -> np.ndarray:
    """The phases that the search begins with, in turns [PERIOD, bins].

    They are those of `torch.rand` for seed 0, which vocoders were trained on: both draw from a Mersenne Twister, and
    torch keeps the lowest 24 bits of each number.
    """
    drawn = np.random.RandomState(0).randint(0, 2**32, (PERIOD, bins), np.uint32)
    return (drawn & np.uint32(2**24 - 1)) / np.float32(2**24)
