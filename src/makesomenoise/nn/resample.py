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


class Upsample(nn.Module):
    """[B, D, N] to [B, C, N * factor]: each position becomes `factor` frames."""

    def __init__(self, dim: int, out_dim: int, factor: int):
        super().__init__()
        self.factor = factor
        self.linear = nn.Conv1d(dim, out_dim * factor, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiplies the length by the factor."""
        batch, _, length = x.shape
        y = self.linear(x).view(batch, -1, self.factor, length)
        return y.transpose(2, 3).reshape(batch, -1, length * self.factor)
