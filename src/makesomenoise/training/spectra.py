"""Distances and pictures of mel spectrograms for training."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config
from makesomenoise.nn.log_mel import LogMel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Below -100 dB nothing is heard, and the logarithm of almost nothing would dominate the distance.
_QUIETEST = -11.5


class MelScale(Config):
    """One resolution at which two sounds are compared.

    Attributes:
        n_fft: window, samples; frames are a quarter of it apart.
        n_mels: number of bands.
    """

    n_fft: int
    n_mels: int


class MelScales(nn.Module):
    """Mean absolute difference of log-mels, averaged over several resolutions."""

    def __init__(self, scales: Sequence[MelScale], sample_rate: int):
        super().__init__()
        self.mels = nn.ModuleList(
            LogMel(MelConfig(sample_rate=sample_rate, n_fft=s.n_fft, hop_samples=s.n_fft // 4, n_mels=s.n_mels))
            for s in scales
        )

    def forward(self, waveform: Tensor, target: Tensor) -> Tensor:
        """Distance of two batches of waveforms [B, S], a scalar in nepers."""
        distances = [
            (mel(waveform).clamp_min(_QUIETEST) - mel(target).clamp_min(_QUIETEST)).abs().mean() for mel in self.mels
        ]
        return torch.stack(distances).mean()


def mel_figure(*rows: Tensor, titles: tuple[str, ...]) -> "Figure":
    """Picture of log-mels [B, M, T]: a row for each argument, a column for each item of the batch."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and needed for pictures alone

    figure = Figure(figsize=(3 * len(rows[0]), 2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for line, mels, title in zip(axes, rows, titles, strict=True):
        for axis, mel in zip(line, mels, strict=True):
            axis.imshow(mel.float().cpu().numpy(), origin="lower", aspect="auto", vmin=_QUIETEST, vmax=4.0)
            axis.set(title=title, xlabel="frame", ylabel="band")
    return figure
