"""Vocoder without weights: guesses the linear spectrogram and searches phases that fit it."""

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise.audio.mel import MelConfig, mel_filters
from makesomenoise.nn.log_mel import magnitude
from makesomenoise.vocoder.spectral import PERIOD, whole_periods

_ROUNDS = 32
_MOMENTUM = 0.99
_SEED = 0
_SMALLEST = 1e-8


class Stft(nn.Module):
    """Waveform to complex frames; outside the signal are zeros."""

    window: Tensor

    def __init__(self, n_fft: int, hop_samples: int):
        super().__init__()
        self.n_fft, self.hop_samples = n_fft, hop_samples
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Maps [B, T * hop] to complex [B, T, n_fft // 2 + 1]."""
        half = self.n_fft // 2
        frames = nn.functional.pad(waveform, (half, half - self.hop_samples)).unfold(-1, self.n_fft, self.hop_samples)
        return torch.fft.rfft(frames * self.window)


class InverseStft(nn.Module):
    """Overlap-add of windowed frames; `n_fft` is an even multiple of the hop, at least four times as long."""

    window: Tensor

    def __init__(self, n_fft: int, hop_samples: int):
        super().__init__()
        self.n_fft, self.hop_samples = n_fft, hop_samples
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Maps complex [B, T, n_fft // 2 + 1] to a waveform [B, T * hop].

        The sum is divided by that of the squared windows that really overlap. With windows of four hops or more that is
        never below a quarter, so the ends need no extra frames.
        """
        frames = torch.fft.irfft(spectrum, n=self.n_fft) * self.window
        return (self._overlapped(frames) / self._envelope(frames.shape[1])).flatten(1)

    def _envelope(self, count: int) -> Tensor:
        """Sum of the squared windows [count, hop] over `count` frames; only its ends differ from hop to hop."""
        overlap = self.n_fft // self.hop_samples
        few = self._overlapped(self.window.square().expand(1, min(count, 2 * overlap), -1))[0]
        if count <= 2 * overlap:
            return few
        middle = few[overlap].expand(count - 2 * overlap, -1)
        return torch.cat([few[:overlap], middle, few[overlap:]])

    def _overlapped(self, frames: Tensor) -> Tensor:
        """Sum of shifted frames [B, T, n_fft] as hops [B, T, hop]; the halves beyond the ends are dropped."""
        batch, count, _ = frames.shape
        overlap = self.n_fft // self.hop_samples
        hops = frames.unflatten(2, (overlap, self.hop_samples))
        total = frames.new_zeros(batch, count + overlap - 1, self.hop_samples)
        for k in range(overlap):
            total[:, k : k + count] += hops[:, :, k]
        return total[:, overlap // 2 : overlap // 2 + count]


class GriffinLim(nn.Module):
    """Fast Griffin-Lim (Perraudin et al. 2013) from log-mel [B, M, T] to waveform [B, T * hop].

    The same frames always give the same sound: the first phases are a fixed random table that repeats every `PERIOD`
    frames, so that also a window that starts at a multiple of it gives what the whole gives there.

    Args:
        mel: the log-mel it reads.
        rounds: rounds of the search.
    """

    inverse_filters: Tensor
    phases: Tensor

    def __init__(self, mel: MelConfig, rounds: int = _ROUNDS):
        super().__init__()
        self.rounds = rounds
        self.stft = Stft(mel.n_fft, mel.hop_samples)
        self.istft = InverseStft(mel.n_fft, mel.hop_samples)
        self._reach = rounds * (mel.n_fft // mel.hop_samples - 1) + mel.n_fft // (2 * mel.hop_samples)
        phases = torch.rand(PERIOD, mel.n_fft // 2 + 1, generator=torch.Generator().manual_seed(_SEED))
        self.register_buffer("inverse_filters", torch.from_numpy(np.linalg.pinv(mel_filters(mel))), persistent=False)
        self.register_buffer("phases", phases * (2 * torch.pi), persistent=False)

    @property
    def context_frames(self) -> int:
        """Frames on either side that a sample depends on, a multiple of `PERIOD`."""
        return whole_periods(self._reach)

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        return self.istft(self.spectrum(mel))

    def spectrum(self, mel: Tensor) -> Tensor:
        """Complex spectrum [B, T, n_fft // 2 + 1] with the magnitudes that the frames ask for and the phases found."""
        wanted = (mel.float().exp().transpose(1, 2) @ self.inverse_filters.T).clamp_min(_SMALLEST)
        phases = self.phases.repeat(-(-mel.shape[-1] // PERIOD), 1)[: mel.shape[-1]]
        guess = torch.polar(wanted, phases.expand_as(wanted))
        previous = torch.zeros_like(guess)
        for _ in range(self.rounds):
            consistent = self.stft(self.istft(guess))
            ahead = torch.lerp(previous, consistent, 1.0 + _MOMENTUM)
            guess = ahead * (wanted / magnitude(ahead).clamp_min(_SMALLEST))
            previous = consistent
        return guess
