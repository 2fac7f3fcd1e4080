"""The optimal-transport probability path of flow matching (Lipman et al. 2023, eq. 20-23, sigma_min = 0).

x_0 is standard normal noise, x_1 is data, t runs from 0 to 1. Mathematics of arrays: knows no network.
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


def velocity_from_data(x_1: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """The velocity (x_1 - x_t) / (1 - t) that leads from x_t to the data x_1.

    Args:
        x_1: data, or a prediction of it [B, ...].
        x_t: point of the path [B, ...].
        t: times [B] in [0, 1).
    """
    return (x_1 - x_t) / (1.0 - _expand(t, x_t))


def data_from_velocity(velocity: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """The data x_t + (1 - t) v that a constant velocity leads to; inverse of `velocity_from_data`."""
    return x_t + (1.0 - _expand(t, x_t)) * velocity


def path_deviation(t: Tensor, data_deviation: float) -> Tensor:
    """Deviation sqrt(t^2 s^2 + (1 - t)^2) of x_t [...] for data of mean 0 and deviation s."""
    return torch.sqrt((t * data_deviation).square() + (1.0 - t).square())


def gaussian_velocity(x_t: Tensor, t: Tensor, span: Tensor, data_deviation: float) -> Tensor:
    """The average velocity from t to t + span for Gaussian data of mean 0 and deviation s, exact for any span.

    The flow of such data only scales: x_(t+h) = x_t d(t+h) / d(t), where d is the deviation of the path. So the
    average velocity is x_t (d(t+h) / d(t) - 1) / h. Multiplied out, so that h leaves the denominator, it is

        x_t (s^2 (2t + h) - 2(1 - t) + h) / (d(t) (d(t) + d(t+h))),

    which for h = 0 is the velocity x_t d'(t) / d(t).

    Args:
        x_t: point of the path [B, ...].
        t: times [B] in [0, 1].
        span: lengths h [B], 0 <= h <= 1 - t.
        data_deviation: s.
    """
    start, end = path_deviation(t, data_deviation), path_deviation(t + span, data_deviation)
    rise = data_deviation**2 * (2.0 * t + span) - 2.0 * (1.0 - t) + span
    return _expand(rise / (start * (start + end)), x_t) * x_t


def sample_times(
    count: int, mean: float, deviation: float, generator: torch.Generator, uniform_share: float = 0.0
) -> Tensor:
    """Training times [count] in (0, 1), logit-normal (Esser et al. 2024, eq. 19), some of them uniform.

    Args:
        count: number of times.
        mean: of the logit; below zero prefers noisy points.
        deviation: of the logit.
        generator: source of randomness; its device is the result's.
        uniform_share: share of the times that are uniform instead, so that the ends are seen too.
    """
    normal = torch.randn(count, generator=generator, device=generator.device)
    uniform, chance = torch.rand(2, count, generator=generator, device=generator.device)
    return torch.where(chance < uniform_share, uniform, torch.sigmoid(mean + deviation * normal))


def _expand(t: Tensor, like: Tensor) -> Tensor:
    return t.reshape(-1, *[1] * (like.dim() - 1))
