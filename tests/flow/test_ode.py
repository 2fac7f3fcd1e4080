"""Steps along a velocity: exact solutions, orders of convergence, no side effects; and what guidance makes of two."""

import math

import pytest
import torch
from torchdiffeq import odeint

from makesomenoise.flow.ode import guided, integrate, integrate_multistep, rescaled
from makesomenoise.flow.ode import time_grid as grid


def time_grid(steps: int, shift: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(grid(steps, shift))


def multistep(velocity, x_0, times):
    return integrate_multistep(velocity, x_0, times)[-1]


SOLVERS = [integrate, multistep]


def _error(solver, steps: int) -> float:
    x_1 = solver(lambda x, _t, _span: -x, torch.ones(1, dtype=torch.float64), time_grid(steps, shift=0.5).double())
    return abs(float(x_1) - math.exp(-1.0))


@pytest.mark.parametrize(("solver", "gain"), [(integrate, 2), (multistep, 4)])
def test_halving_the_step_divides_the_error_by_two_to_the_order(solver, gain):
    assert _error(solver, 64) / _error(solver, 128) == pytest.approx(gain, rel=0.1)


def test_multistep_is_exact_for_a_velocity_that_grows_evenly_once_it_has_started():
    # Euler's first step from 0 to h misses h squared; what follows is exact.
    times = time_grid(4, shift=0.5).double()
    x_1 = multistep(lambda x, t, _: 2 * t + 0 * x, torch.zeros(1, dtype=torch.float64), times)
    torch.testing.assert_close(x_1, 1.0 - times[1:2] ** 2)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_an_average_velocity_needs_no_small_steps(steps):
    def average(x, _, span):
        return x * torch.expm1(-span) / span

    x_1 = integrate(average, torch.ones(2, dtype=torch.float64), time_grid(steps, shift=2.0).double())
    torch.testing.assert_close(x_1, torch.full((2,), math.exp(-1.0), dtype=torch.float64))


def test_integral_of_three_t_squared_is_one():
    x_1 = integrate(lambda x, t, _: 3 * t**2 + 0 * x, torch.zeros(2), time_grid(400))
    torch.testing.assert_close(x_1, torch.ones(2), rtol=0, atol=5e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_start_is_not_changed(solver):
    x_0 = torch.ones(3)
    solver(lambda x, _t, _span: -x, x_0, time_grid(4))
    torch.testing.assert_close(x_0, torch.ones(3), rtol=0, atol=0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_velocity_is_asked_once_a_step(solver):
    calls = []
    solver(lambda x, t, span: calls.append((float(t), float(span))) or -x, torch.ones(1), time_grid(4))
    assert calls == [(0.0, 0.25), (0.25, 0.25), (0.5, 0.25), (0.75, 0.25)]


def test_agrees_with_torchdiffeq():
    matrix = torch.tensor([[0.0, 1.0], [-2.0, -0.3]])
    times = time_grid(12, shift=2.0)
    reference = odeint(lambda t, x: x @ matrix.T + t, torch.tensor([[1.0, 0.5]]), times, method="euler")[-1]
    ours = integrate(lambda x, t, _: x @ matrix.T + t, torch.tensor([[1.0, 0.5]]), times)
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


def test_rescaling_sets_the_deviation_of_each_example_back():
    conditional = torch.randn(2, 50, 40) * torch.tensor([1.0, 3.0])[:, None, None]
    exaggerated = 2.5 * conditional
    torch.testing.assert_close(rescaled(exaggerated, conditional, 1.0), conditional)
    torch.testing.assert_close(rescaled(exaggerated, conditional, 0.0), exaggerated)
    torch.testing.assert_close(rescaled(exaggerated, conditional, 0.5), 1.75 * conditional)


def test_rescaling_of_silence_stays_finite():
    assert rescaled(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), 0.7).eq(0).all()
