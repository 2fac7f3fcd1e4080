"""What training on several devices computes as one device would of all their examples: means, statistics and draws.

Each device has as many rows of a batch as every other one, one block of it. A loss of a device may be divided by what
`mean_across` gives; the mean of such losses is that of the whole batch, and so are the gradients, whose means DDP
takes. Nothing here does anything in inference, in validation, or on one device.
"""

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn


def mean_across(value: Tensor) -> Tensor:
    """The mean of a value over all devices, with gradient, while they train."""
    if not _several() or not torch.is_grad_enabled():
        return value
    from torch.distributed.nn.functional import all_reduce  # noqa: PLC0415 - slow to import, and seldom needed

    return all_reduce(value) / distributed.get_world_size()


def own_rows(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """What is drawn for the rows of this device, as one device draws it for the whole batch.

    Args:
        draw: draws for a number of rows, from a generator that all devices have alike.
        count: rows of this device.
    """
    if not _several():
        return draw(count)
    first = distributed.get_rank() * count
    return draw(distributed.get_world_size() * count)[first : first + count]


class BatchNorm1d(nn.BatchNorm1d):
    """PyTorch's, with the statistics of all devices."""

    def forward(self, input: Tensor) -> Tensor:
        """See PyTorch."""
        return _normalised(self, input) if _several() and self.training else super().forward(input)


class BatchNorm2d(nn.BatchNorm2d):
    """PyTorch's, with the statistics of all devices."""

    def forward(self, input: Tensor) -> Tensor:
        """See PyTorch."""
        return _normalised(self, input) if _several() and self.training else super().forward(input)


def _normalised(layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    assert layer.momentum is not None
    dims = [dim for dim in range(x.ndim) if dim != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean = mean_across(x.float().mean(dims))
    centred = x.float() - mean.view(shape)
    variance = mean_across(centred.square().mean(dims))
    count = distributed.get_world_size() * x.numel() / x.shape[1]
    with torch.no_grad():
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * count / (count - 1), layer.momentum)
    made = (centred * (variance.view(shape) + layer.eps).rsqrt()).to(x.dtype)
    return made if layer.weight is None else made * layer.weight.view(shape) + layer.bias.view(shape)


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
