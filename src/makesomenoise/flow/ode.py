"""Steps from noise to data along a velocity, and guidance; ignorant of what the velocity is."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from makesomenoise.errors import RequestError

Array = Any  # a NumPy array or a torch tensor: all that is asked of it is arithmetic
Velocity = Callable[[Array, Array, Array], Array]
_TINY = 1e-30


def time_grid(steps: int, shift: float = 1.0) -> np.ndarray:
    """Times [steps + 1] from 0 to 1, float32.

    Args:
        steps: number of steps, at least 1.
        shift: 1 spaces them evenly; above 1 they crowd towards t = 0, below 1 towards t = 1, where grain is made.
    """
    if steps < 1:
        raise RequestError(f"The number of ODE steps must be at least 1, got {steps}.")
    t = np.linspace(0.0, 1.0, steps + 1, dtype=np.float32)
    return t / (shift + (1.0 - shift) * t)


def integrate(velocity: Velocity, x_0: Array, times: Array) -> Array:
    """Carries x_0 from times[0] to times[-1] in x <- x + span v(x, t, span).

    With the velocity at t for v these are Euler's steps, of order 1. With the average velocity over [t, t + span] they
    are exact, however few (the flow map of Boffi et al. 2024, eq. 5).

    Args:
        velocity: maps (x [B, ...], t scalar tensor, span scalar tensor) to [B, ...].
        x_0: start [B, ...]; not changed.
        times: increasing grid.
    """
    x = x_0
    for t, t_next in pairwise(times):
        x = x + (t_next - t) * velocity(x, t, t_next - t)
    return x


def integrate_multistep(velocity: Velocity, x_0: Array, times: Array) -> list[Array]:
    """Carries x_0 from times[0] to times[-1] in steps of order 2 that ask for one velocity each.

    The two-step Adams-Bashforth method for uneven steps (Hairer, Norsett and Wanner 1993, section III.5): the slope of
    the velocity is taken from the step before. The first step is Euler's.

    Args:
        velocity: maps (x [B, ...], t scalar tensor, span scalar tensor) to the velocity [B, ...] at t.
        x_0: start [B, ...]; not changed.
        times: increasing grid [P].

    Returns:
        The P points [B, ...] at those times, of which the first is x_0.
    """
    points, before, span_before = [x_0], None, 1.0
    for t, t_next in pairwise(times):
        span = t_next - t
        now = velocity(points[-1], t, span)
        slope = 0.0 if before is None else (now - before) / span_before
        points.append(points[-1] + span * (now + span / 2.0 * slope))
        before, span_before = now, span
    return points


def guided(conditional: Array, unconditional: Array, scale: float) -> Array:
    """Classifier-free guidance (Ho and Salimans 2022, eq. 6): 1 is the conditional velocity, more exaggerates it."""
    return unconditional + scale * (conditional - unconditional)


def rescaled(exaggerated: Array, conditional: Array, share: float) -> Array:
    """Sets the deviation of a guided prediction of the data back (Lin et al. 2024, eq. 15-16).

    Guidance pushes the deviation up with the level of a sound; without this it is too loud.

    Args:
        exaggerated: guided prediction [B, ...].
        conditional: the prediction without guidance, whose deviation over all but the batch is the right one.
        share: how far to go, from 0, which changes nothing, to 1.
    """
    wanted, found = (_deviation(x) for x in (conditional, exaggerated))
    factor = share * wanted / found.clip(min=_TINY) + (1.0 - share)
    return exaggerated * factor.reshape(-1, *[1] * (exaggerated.ndim - 1))


def _deviation(x: Array) -> Array:
    """Deviation [B] of [B, ...] over all but the batch, without bias."""
    flat = x.reshape(len(x), -1)
    centred = flat - flat.mean(1)[:, None]
    return ((centred * centred).sum(1) / (flat.shape[1] - 1)) ** 0.5
