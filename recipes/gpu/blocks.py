"""The decoder's blocks for a GPU: compiled one by one, which takes seconds where a whole network takes minutes.

All blocks of a width share what was compiled. Their convolutions over time become sums of shifted products first, which
a compiler fuses into the layers around them: a convolution with a channel a group is slow there, backwards above all.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from makesomenoise.nn.convnext import AdaptiveConvNeXtBlock

_SHAPES = 96  # widths, with and without modulation, with and without gradients, of teacher and student


class ShiftedConvolution(nn.Conv1d):
    """`nn.Conv1d` with a channel a group and an odd kernel, as a sum of shifted products; weights are the same."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, T] to [B, C, T]."""
        kernel, length = self.kernel_size[0], input.shape[-1]
        frames = F.pad(input.transpose(1, 2), (0, 0, kernel // 2, kernel // 2))  # [B, T + K - 1, C] as it lies
        weight = self.weight[:, 0].T.to(input.dtype)
        total = frames[:, :length] * weight[0]
        for shift in range(1, kernel):
            total = total + frames[:, shift : shift + length] * weight[shift]
        bias = total.new_zeros(()) if self.bias is None else self.bias.to(input.dtype)
        return (total + bias).transpose(1, 2)


def compile_blocks(module: nn.Module) -> None:
    """Compiles the blocks of a decoder in place."""
    torch._dynamo.config.cache_size_limit = _SHAPES  # there is no public way
    for block in module.modules():
        if isinstance(block, AdaptiveConvNeXtBlock):
            block.mix.__class__ = ShiftedConvolution
            block.compile(dynamic=False)


def restore_blocks(module: nn.Module) -> None:
    """Gives blocks their own convolutions back, which are the faster ones where nothing is compiled."""
    for block in module.modules():
        if isinstance(block, AdaptiveConvNeXtBlock):
            block.mix.__class__ = nn.Conv1d
