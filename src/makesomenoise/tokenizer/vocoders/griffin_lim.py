"""Vocoder without weights: guesses the linear spectrogram and searches phases that fit it."""

import torch
from torch import Tensor, nn

from makesomenoise.audio.mel import MelConfig, mel_filters
from makesomenoise.tokenizer.vocoders.stft import InverseStft, Stft


class GriffinLim(nn.Module):
    """Fast Griffin-Lim (Perraudin et al. 2013) from log-mel [B, M, T] to waveform [B, T * hop].

    The same frames always give the same sound: the phases start from a fixed seed.

    Args:
        mel: the log-mel it reads.
        iterations: rounds of the search.
        momentum: how far each round goes on in the direction of the last one.
        seed: of the first phases.
    """

    inverse_filters: Tensor

    # What lies further away has no audible influence, though every frame depends a little on all.
    context_frames = 32

    def __init__(self, mel: MelConfig, iterations: int = 32, momentum: float = 0.99, seed: int = 0):
        super().__init__()
        self.iterations, self.momentum, self.seed = iterations, momentum, seed
        self.stft = Stft(mel.n_fft, mel.hop_samples)
        self.istft = InverseStft(mel.n_fft, mel.hop_samples)
        self.register_buffer("inverse_filters", torch.linalg.pinv(mel_filters(mel)), persistent=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        magnitude = (mel.float().exp().transpose(1, 2) @ self.inverse_filters.T).clamp_min(0.0)
        guess = torch.polar(magnitude, self._first_phases(magnitude))
        previous = torch.zeros_like(guess)
        for _ in range(self.iterations):
            consistent = self.stft(self.istft(guess))
            ahead = consistent + self.momentum * (consistent - previous)
            guess = magnitude * ahead / ahead.abs().clamp_min(1e-8)
            previous = consistent
        return self.istft(guess)

    def _first_phases(self, magnitude: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        # The same for every item of a batch, so that a batch gives what its items give alone.
        phases = torch.rand(magnitude.shape[1:], generator=generator) * (2 * torch.pi)
        return phases.to(magnitude.device).expand_as(magnitude)
