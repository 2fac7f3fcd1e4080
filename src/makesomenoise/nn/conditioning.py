"""Layers by which the step of a sampler steers a network; no project knowledge."""

import math

import torch
from torch import Tensor, nn

_SLOWEST, _FASTEST = 0.1, 1000.0  # angular frequencies of the time, about those of DiT for a time in [0, 1]


class StepEmbedding(nn.Module):
    """A step of a sampler as a vector: its time, how far it jumps, and how strongly it is guided.

    What span and guidance add starts at zero, and stays zero for a span of 0 and a guidance of 1. A network that
    learned velocities alone therefore computes the same function before and after it learns to jump.

    Args:
        dim: channels C of the vector.
        waves: number of frequencies of the time.
        span_waves: number of frequencies of the span.
    """

    frequencies: Tensor
    span_frequencies: Tensor

    def __init__(self, dim: int, waves: int = 64, span_waves: int = 32):
        super().__init__()
        falling = torch.exp(-math.log(_FASTEST / _SLOWEST) * torch.arange(waves) / waves)
        rising = math.pi / 2.0 * torch.logspace(0.0, 6.0, span_waves, base=2.0)
        self.register_buffer("frequencies", falling, persistent=False)
        self.register_buffer("span_frequencies", rising, persistent=False)
        self.time = nn.Linear(2 * waves, dim)
        self.hidden = nn.Linear(dim, dim)
        self.jump = nn.Linear(span_waves + 2, dim, bias=False)
        self.activation = nn.SiLU()
        nn.init.zeros_(self.jump.weight)

    def forward(self, t: Tensor, span: Tensor | None = None, guidance: Tensor | None = None) -> Tensor:
        """Embeds steps.

        Args:
            t: [B] time at which the step starts, in [0, 1].
            span: [B] length of the step; none is 0, an instant.
            guidance: [B] scale of the guidance; none is 1, no guidance.

        Returns:
            [B, C].
        """
        angles = _FASTEST * t[:, None] * self.frequencies
        hidden = self.hidden(self.activation(self.time(torch.cat((angles.cos(), angles.sin()), dim=-1))))
        span = torch.zeros_like(t) if span is None else span
        excess = torch.zeros_like(t) if guidance is None else guidance - 1.0
        scalars = torch.stack((excess, excess * span), dim=-1)
        features = torch.cat((torch.sin(span[:, None] * self.span_frequencies), scalars), dim=-1)
        return self.activation(hidden + self.jump(features))


class Modulation(nn.Module):
    """Shift, scale and gate for a row of blocks: one projection for all, and a learned offset for each.

    This is adaLN-single of PixArt-alpha (Chen et al. 2023, section 2.3); it starts at zero, which changes nothing.

    Args:
        dim: channels E of the embedding.
        width: channels C of the blocks.
        blocks: their number.
    """

    def __init__(self, dim: int, width: int, blocks: int):
        super().__init__()
        self.project = nn.Linear(dim, 3 * width)
        self.offsets = nn.Parameter(torch.zeros(blocks, 3, width))
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, embedding: Tensor) -> list[Tensor]:
        """Maps [B, E] to [B, 3, C] for each block."""
        shared = self.project(embedding).unflatten(-1, (3, -1))
        return [shared + offset for offset in self.offsets]
