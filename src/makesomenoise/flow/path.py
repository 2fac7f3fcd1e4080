"""The optimal-transport probability path of flow matching (Lipman et al. 2023, eq. 20-23, sigma_min = 0).

x_0 is noise, x_1 is data, t runs from 0 to 1. Mathematics of arrays: knows no network.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PathSample:
    """A point of the path.

    Attributes:
        x_t: the point at time t, shaped like the data.
        dx_t: the velocity of the path there, shaped like the data.
    """

    x_t: Tensor
    dx_t: Tensor


def sample_path(x_0: Tensor, x_1: Tensor, t: Tensor) -> PathSample:
    """The straight path x_t = (1 - t) x_0 + t x_1, whose velocity is x_1 - x_0.

    Args:
        x_0: noise [B, ...].
        x_1: data [B, ...].
        t: times [B] in [0, 1].
    """
    t = _expand(t, x_1)
    return PathSample(x_t=(1.0 - t) * x_0 + t * x_1, dx_t=x_1 - x_0)


def velocity_from_data(x_1: Tensor, x_t: Tensor, t: Tensor, least: float) -> Tensor:
    """The velocity (x_1 - x_t) / (1 - t) that leads from x_t to the data x_1.

    Args:
        x_1: data, or a prediction of it [B, ...].
        x_t: point of the path [B, ...].
        t: times [B] in [0, 1].
        least: lower bound of 1 - t, which keeps the quotient finite near the data.
    """
    return (x_1 - x_t) / (1.0 - _expand(t, x_t)).clamp_min(least)


def sample_times(count: int, mean: float, deviation: float, generator: torch.Generator) -> Tensor:
    """Training times [count] in (0, 1), logit-normal (Esser et al. 2024, eq. 19).

    Args:
        count: number of times.
        mean: of the logit; below zero prefers noisy points.
        deviation: of the logit.
        generator: source of randomness; its device is the result's.
    """
    normal = torch.randn(count, generator=generator, device=generator.device)
    return torch.sigmoid(mean + deviation * normal)


def _expand(t: Tensor, like: Tensor) -> Tensor:
    return t.reshape(-1, *[1] * (like.dim() - 1))
