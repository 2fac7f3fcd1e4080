"""Two-dimensional convolutions over spectrograms; no project knowledge."""

from torch import Tensor, nn

from makesomenoise.nn.across import BatchNorm2d

TRUNK_STRIDE = 32


class SpectrogramTrunk(nn.Sequential):
    """[B, 1, M, T] to [B, channels[3], ceil(M / 32), ceil(T / 32)].

    Args:
        channels: widths after the first quartering and the three halvings of the spectrogram.
    """

    def __init__(self, channels: tuple[int, int, int, int]):
        first, second, third, fourth = channels
        super().__init__(
            # A quarter in both directions at once: on one core the cost is in the large maps, not in the parameters.
            _convolution(1, first, kernel=7, stride=4),
            _convolution(first, second, stride=2),
            _convolution(second, third, stride=2),
            _convolution(third, fourth, stride=2),
            _Residual(fourth),
        )


class _Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.inner = _convolution(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.inner(maps)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, BatchNorm2d(outputs), nn.ReLU())
