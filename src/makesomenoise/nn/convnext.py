"""One-dimensional ConvNeXt blocks over time (Liu et al. 2022, A ConvNet for the 2020s); know nothing of sound."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvNeXtBlock(nn.Module):
    """Residual block: depthwise convolution, LayerNorm, and a two-layer network at every step.

    Parameter names are those of Vocos, whose published weights therefore load into it.

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


class AdaptiveConvNeXtBlock(nn.Module):
    """The block for deep networks whose speed counts: channels last, and steered from outside.

    Channels lie last, as the pointwise layers, which are nearly all of the work, read them. Modulation is that of DiT
    (Peebles and Xie 2023): the normalised signal is shifted and scaled, and the residual branch is gated.

    Args:
        dim: channels C.
        hidden: channels between the two pointwise layers.
        kernel: width of the depthwise convolution, odd.
    """

    def __init__(self, dim: int, hidden: int, kernel: int):
        super().__init__()
        self.mix = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)
        nn.init.trunc_normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor, modulation: Tensor | None = None) -> Tensor:
        """Transforms a sequence; outside it are zeros.

        Args:
            x: [B, T, C].
            modulation: [B, 3, C] shift, scale and gate; zeros, like none, change nothing.
        """
        y = self.norm(self.mix(x.transpose(1, 2)).transpose(1, 2))
        if modulation is None:
            return x + self._feed(y)
        shift, scale, gate = modulation[:, :, None].unbind(1)
        return torch.addcmul(x, self._feed(torch.addcmul(shift, y, 1.0 + scale)), 1.0 + gate)

    def _feed(self, y: Tensor) -> Tensor:
        # On a CPU torch takes four times as long for the GELU's approximation by a tanh, which was meant to be fast.
        return self.down(F.gelu(self.up(y)))
