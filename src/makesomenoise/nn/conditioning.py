"""Layers that let a scalar time steer a network; no project knowledge."""

import math

import torch
from torch import Tensor, nn


def modulate(x: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
    """The affine map x (1 + scale) + shift, or x where there is nothing to modulate with."""
    if shift is None or scale is None:
        return x
    return x * (1.0 + scale) + shift


class TimeEmbedding(nn.Module):
    """A time in [0, 1] as sines and cosines, then two linear layers."""

    frequencies: Tensor

    def __init__(self, dim: int, waves: int = 64, highest: float = 200.0):
        super().__init__()
        frequencies = torch.exp(torch.linspace(0.0, math.log(highest), waves))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * waves, dim), nn.SiLU(), nn.Linear(dim, dim), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        """[B] to [B, C]."""
        angles = t[:, None] * self.frequencies
        return self.layers(torch.cat((angles.sin(), angles.cos()), dim=-1))
