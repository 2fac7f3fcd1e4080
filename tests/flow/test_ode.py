"""The solvers: exact solutions, orders of convergence, and no side effects."""

import math

import pytest
import torch
from torchdiffeq import odeint

from makesomenoise.flow.ode import EVALUATIONS_PER_STEP, guided, integrate, time_grid

METHODS = ["euler", "midpoint", "heun"]


def _error(method: str, steps: int) -> float:
    x_1 = integrate(lambda x, _: -x, torch.ones(1, dtype=torch.float64), time_grid(steps).double(), method)
    return abs(float(x_1) - math.exp(-1.0))


@pytest.mark.parametrize(("method", "ratio"), [("euler", 2), ("midpoint", 4), ("heun", 4)])
def test_halving_the_step_divides_the_error_by_two_to_the_order(method, ratio):
    assert _error(method, 64) / _error(method, 128) == pytest.approx(ratio, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_integral_of_three_t_squared_is_one(method):
    x_1 = integrate(lambda x, t: 3 * t**2 + 0 * x, torch.zeros(2), time_grid(400), method)
    torch.testing.assert_close(x_1, torch.ones(2), rtol=0, atol=5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_start_is_not_changed(method):
    x_0 = torch.ones(3)
    integrate(lambda x, _: -x, x_0, time_grid(4), method)
    torch.testing.assert_close(x_0, torch.ones(3), rtol=0, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_velocity_is_evaluated_as_often_as_promised(method):
    calls = []
    integrate(lambda x, t: calls.append(t) or -x, torch.ones(1), time_grid(5), method)
    assert len(calls) == 5 * EVALUATIONS_PER_STEP[method]


@pytest.mark.parametrize("method", ["euler", "midpoint"])
def test_agrees_with_torchdiffeq(method):
    matrix = torch.tensor([[0.0, 1.0], [-2.0, -0.3]])
    times = time_grid(12, shift=2.0)
    reference = odeint(lambda t, x: x @ matrix.T + t, torch.tensor([[1.0, 0.5]]), times, method=method)[-1]
    ours = integrate(lambda x, t: x @ matrix.T + t, torch.tensor([[1.0, 0.5]]), times, method)
    torch.testing.assert_close(ours, reference)


def test_shifted_grid_crowds_towards_noise():
    times = time_grid(4, shift=2.0)
    assert times[0] == 0.0
    assert times[-1] == 1.0
    assert torch.all(times.diff()[:-1] < times.diff()[1:])


def test_no_steps_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        time_grid(0)


def test_guidance_of_one_is_the_conditional_velocity():
    conditional, unconditional = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(guided(conditional, unconditional, 1.0), conditional)
    torch.testing.assert_close(guided(conditional, unconditional, 0.0), unconditional)
    torch.testing.assert_close(guided(conditional, unconditional, 3.0), 3 * conditional - 2 * unconditional)
