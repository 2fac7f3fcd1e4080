"""Changes of time resolution by a whole factor; no project knowledge."""

from torch import Tensor, nn


class Downsample(nn.Module):
    """[B, C, T] to [B, D, T / factor]: each group of `factor` frames becomes one position."""

    def __init__(self, dim: int, out_dim: int, factor: int):
        super().__init__()
        self.conv = nn.Conv1d(dim, out_dim, factor, stride=factor)

    def forward(self, x: Tensor) -> Tensor:
        """Halves, quarters, ... the length."""
        return self.conv(x)
