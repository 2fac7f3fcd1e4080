"""The optimal-transport probability path of flow matching (Lipman et al. 2023, eq. 20-23, sigma_min = 0).

x_0 is standard normal noise, x_1 is data, t runs from 0 to 1. Mathematics of arrays: knows no network.
"""

from dataclasses import dataclass
from typing import Any

Array = Any  # a NumPy array or a torch tensor: all that is asked of it is arithmetic


@dataclass(frozen=True)
class PathSample:
    """A point of the path.

    Attributes:
        x_t: the point at time t, shaped like the data.
        dx_t: the velocity of the path there, shaped like the data.
    """

    x_t: Array
    dx_t: Array


def sample_path(x_0: Array, x_1: Array, t: Array) -> PathSample:
    """The straight path x_t = (1 - t) x_0 + t x_1, whose velocity is x_1 - x_0.

    Args:
        x_0: noise [B, ...].
        x_1: data [B, ...].
        t: times [B] in [0, 1].
    """
    t = _expand(t, x_1)
    return PathSample(x_t=(1.0 - t) * x_0 + t * x_1, dx_t=x_1 - x_0)


def velocity_from_data(x_1: Array, x_t: Array, t: Array) -> Array:
    """The velocity (x_1 - x_t) / (1 - t) that leads from x_t to the data x_1.

    Args:
        x_1: data, or a prediction of it [B, ...].
        x_t: point of the path [B, ...].
        t: times [B] in [0, 1).
    """
    return (x_1 - x_t) / (1.0 - _expand(t, x_t))


def data_from_velocity(velocity: Array, x_t: Array, t: Array) -> Array:
    """The data x_t + (1 - t) v that a constant velocity leads to; inverse of `velocity_from_data`."""
    return x_t + (1.0 - _expand(t, x_t)) * velocity


def path_deviation(t: Array, data_deviation: float) -> Array:
    """Deviation sqrt(t^2 s^2 + (1 - t)^2) of x_t [...] for data of mean 0 and deviation s."""
    return ((t * data_deviation) ** 2 + (1.0 - t) ** 2) ** 0.5


def gaussian_velocity(x_t: Array, t: Array, span: Array, data_deviation: float) -> Array:
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


def _expand(t: Array, like: Array) -> Array:
    return t.reshape(-1, *[1] * (like.ndim - 1))
