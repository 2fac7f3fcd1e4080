"""Short-time Fourier transform and its inverse in the framing of the log-mel: frame i centred on sample i * hop."""

import torch
from torch import Tensor, nn


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
