"""Explicit solvers for dx/dt = v(x, t) on a fixed grid, and guidance; ignorant of what the velocity is."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
Method = Literal["euler", "midpoint", "heun"]

EVALUATIONS_PER_STEP: dict[str, int] = {"euler": 1, "midpoint": 2, "heun": 2}


def time_grid(steps: int, shift: float = 1.0) -> Tensor:
    """Times [steps + 1] from 0 to 1.

    Args:
        steps: number of steps, at least 1.
        shift: 1 spaces them evenly; above 1 they crowd towards t = 0, where a generative flow bends most.
    """
    if steps < 1:
        raise ValueError(f"The number of ODE steps must be at least 1, got {steps}.")
    t = torch.linspace(0.0, 1.0, steps + 1)
    return t / (shift + (1.0 - shift) * t)


def integrate(velocity: Velocity, x_0: Tensor, times: Tensor, method: Method = "euler") -> Tensor:
    """Carries x_0 from times[0] to times[-1].

    Args:
        velocity: maps (x [B, ...], t scalar tensor) to dx/dt [B, ...].
        x_0: start [B, ...]; not changed.
        times: increasing grid.
        method: `euler` (order 1), `midpoint` or `heun` (order 2, two evaluations a step).
    """
    step = {"euler": _euler, "midpoint": _midpoint, "heun": _heun}[method]
    x = x_0
    for t, t_next in pairwise(times):
        x = step(velocity, x, t, t_next)
    return x


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022, eq. 6): 1 is the conditional velocity, more exaggerates it."""
    return unconditional + scale * (conditional - unconditional)


def _euler(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    return x + (t_next - t) * velocity(x, t)


def _midpoint(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    half = (t_next - t) / 2
    return x + (t_next - t) * velocity(x + half * velocity(x, t), t + half)


def _heun(velocity: Velocity, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
    first = velocity(x, t)
    second = velocity(x + (t_next - t) * first, t_next)
    return x + (t_next - t) * (first + second) / 2
