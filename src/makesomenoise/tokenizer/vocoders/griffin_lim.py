"""Vocoder without weights: guesses the linear spectrogram and searches phases that fit it."""

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise.audio.mel import MelConfig, mel_filters
from makesomenoise.nn.log_mel import magnitude
from makesomenoise.tokenizer.vocoders.stft import InverseStft, Stft

PERIOD = 32
_ROUNDS = 32
_MOMENTUM = 0.99
_SEED = 0
_SMALLEST = 1e-8


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


def whole_periods(frames: int) -> int:
    """The next multiple of `PERIOD`."""
    return -(-frames // PERIOD) * PERIOD
