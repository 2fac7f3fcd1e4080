"""Distances between sounds, from spectra alone; pure functions of arrays."""

from collections.abc import Sequence

import torch
from torch import Tensor

_FLOOR = 1e-5


def log_mel_distance(first: Tensor, second: Tensor) -> float:
    """Mean absolute difference of two log-mels [..., M, T], in units of the natural logarithm of magnitude."""
    return (first - second).abs().double().mean().item()


def stft_distance(first: Tensor, second: Tensor, windows: Sequence[int] = (256, 1024, 4096)) -> float:
    """Multi-resolution STFT distance of two waveforms.

    At each resolution: spectral convergence (norm of the difference of magnitudes over the norm of the first's) plus
    the mean absolute difference of log-magnitudes; then the mean over resolutions. Yamamoto et al. 2020 (Parallel
    WaveGAN), equations 4-6.

    Args:
        first: the reference, [S].
        second: what is compared with it, [S].
        windows: lengths of the Hann windows, samples; the hop is a quarter of each.
    """
    return sum(_one_resolution(first, second, window) for window in windows) / len(windows)


def _one_resolution(first: Tensor, second: Tensor, window: int) -> float:
    one, two = _magnitude(first, window), _magnitude(second, window)
    convergence = (one - two).norm() / one.norm().clamp_min(_FLOOR)
    difference = (one.clamp_min(_FLOOR).log() - two.clamp_min(_FLOOR).log()).abs().mean()
    return (convergence + difference).item()


def _magnitude(waveform: Tensor, window: int) -> Tensor:
    taper = torch.hann_window(window, dtype=waveform.dtype)
    return torch.stft(waveform, window, window // 4, window=taper, pad_mode="constant", return_complex=True).abs()
