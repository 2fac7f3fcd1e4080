"""One-dimensional ConvNeXt block over time; knows nothing of sound."""

import torch
from torch import Tensor, nn


class ConvNeXtBlock(nn.Module):
    """Residual block: depthwise convolution, LayerNorm, and a two-layer network at every step.

    The design is that of Liu et al. 2022 (A ConvNet for the 2020s) in one dimension. Parameter names are those of
    Vocos, whose published weights therefore load into it.

    Args:
        dim: channels C.
        hidden: channels between the two pointwise layers.
        kernel: width of the depthwise convolution, odd.
        scale: first value of the layer scale, which multiplies the residual branch.
    """

    def __init__(self, dim: int, hidden: int, kernel: int = 7, scale: float = 1.0):
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(hidden, dim)
        self.gamma = nn.Parameter(torch.full((dim,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, C, T] to [B, C, T]; outside the signal are zeros."""
        branch = self.dwconv(x).transpose(1, 2)
        branch = self.gamma * self.pwconv2(self.act(self.pwconv1(self.norm(branch))))
        return x + branch.transpose(1, 2)
