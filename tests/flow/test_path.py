"""The path: ends where it should, its velocity is its derivative, and that of Gaussian data is known exactly."""

import pytest
import torch

from makesomenoise.flow.ode import integrate, time_grid
from makesomenoise.flow.path import (
    data_from_velocity,
    gaussian_velocity,
    path_deviation,
    sample_path,
    velocity_from_data,
)
from makesomenoise.flow.times import sample_times

TIMES = torch.tensor([0.0, 0.3, 0.8], dtype=torch.float64)


def _pair(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 4, 5, generator=generator), torch.randn(3, 4, 5, generator=generator)


def test_path_starts_at_noise_and_ends_at_data():
    x_0, x_1 = _pair()
    torch.testing.assert_close(sample_path(x_0, x_1, torch.zeros(3)).x_t, x_0)
    torch.testing.assert_close(sample_path(x_0, x_1, torch.ones(3)).x_t, x_1)


def test_velocity_is_the_finite_difference_of_the_point():
    x_0, x_1 = (x.double() for x in _pair())
    t, h = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64), 1e-6
    difference = (sample_path(x_0, x_1, t + h).x_t - sample_path(x_0, x_1, t - h).x_t) / (2 * h)
    torch.testing.assert_close(sample_path(x_0, x_1, t).dx_t, difference, rtol=1e-6, atol=1e-6)


def test_data_and_velocity_tell_each_other():
    x_0, x_1 = _pair()
    t = torch.tensor([0.0, 0.5, 0.9])
    point = sample_path(x_0, x_1, t)
    torch.testing.assert_close(velocity_from_data(x_1, point.x_t, t), point.dx_t, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(data_from_velocity(point.dx_t, point.x_t, t), x_1, rtol=1e-4, atol=1e-5)


def test_the_deviation_of_the_path_is_that_of_its_points():
    generator = torch.Generator().manual_seed(0)
    x_0, x_1 = torch.randn(2, 1, 200_000, generator=generator)
    for t in (0.0, 0.4, 1.0):
        found = sample_path(x_0, 0.5 * x_1, torch.tensor([t])).x_t.std()
        torch.testing.assert_close(found, path_deviation(torch.tensor(t), 0.5), rtol=0.01, atol=0)


def test_an_instant_has_the_derivative_of_the_deviation():
    t, h = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64), 1e-6
    rise = (path_deviation(t + h, 0.5) - path_deviation(t - h, 0.5)) / (2 * h) / path_deviation(t, 0.5)
    x = torch.ones(3, 2, dtype=torch.float64)
    torch.testing.assert_close(gaussian_velocity(x, t, torch.zeros_like(t), 0.5), rise[:, None] * x)


def test_short_spans_tend_to_the_instant():
    x = torch.ones(3, 2, dtype=torch.float64)
    instant = gaussian_velocity(x, TIMES, torch.zeros_like(TIMES), 0.5)
    for span in (1e-3, 1e-6, 1e-12):
        near = gaussian_velocity(x, TIMES, torch.full_like(TIMES, span), 0.5)
        torch.testing.assert_close(near, instant, rtol=0, atol=4 * span)


@pytest.mark.parametrize("deviation", [0.1, 0.5, 2.0])
def test_a_jump_is_the_exact_flow_of_gaussian_data(deviation: float):
    x = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    span = torch.tensor([1.0, 0.2, 0.2], dtype=torch.float64)
    jumped = x + span[:, None] * gaussian_velocity(x, TIMES, span, deviation)
    scale = path_deviation(TIMES + span, deviation) / path_deviation(TIMES, deviation)
    torch.testing.assert_close(jumped, scale[:, None] * x)


def test_one_jump_is_where_many_small_steps_lead():
    x = torch.randn(1, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def velocity(x, t, _):
        return gaussian_velocity(x, t.expand(1), torch.zeros(1, dtype=torch.float64), 0.5)

    small = integrate(velocity, x, torch.from_numpy(time_grid(4000)).double())
    torch.testing.assert_close(small, 0.5 * x, rtol=0, atol=1e-3)


def test_times_are_logit_normal_and_reproducible():
    times = sample_times(20_000, -0.6, 1.0, torch.Generator().manual_seed(1))
    logits = torch.logit(times)
    assert abs(float(logits.mean()) + 0.6) < 0.03
    assert abs(float(logits.std()) - 1.0) < 0.03
    torch.testing.assert_close(times, sample_times(20_000, -0.6, 1.0, torch.Generator().manual_seed(1)))


def test_a_share_of_the_times_is_uniform():
    every = sample_times(20_000, -5.0, 0.1, torch.Generator().manual_seed(1), uniform_share=1.0)
    assert abs(float(every.mean()) - 0.5) < 0.01
    some = sample_times(20_000, -5.0, 0.1, torch.Generator().manual_seed(1), uniform_share=0.25)
    assert abs(float((some > 0.02).float().mean()) - 0.245) < 0.01
