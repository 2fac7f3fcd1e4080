"""The path: ends where it should, and its velocity is its derivative."""

import torch

from makesomenoise.flow.path import sample_path, sample_times, velocity_from_data


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


def test_velocity_from_data_is_the_path_velocity_where_it_is_not_bounded():
    x_0, x_1 = _pair()
    t = torch.tensor([0.0, 0.5, 0.9])
    point = sample_path(x_0, x_1, t)
    torch.testing.assert_close(velocity_from_data(x_1, point.x_t, t, least=0.05), point.dx_t, rtol=1e-4, atol=1e-4)


def test_velocity_from_data_stays_finite_at_the_data():
    x_0, x_1 = _pair()
    velocity = velocity_from_data(x_1, x_0, torch.ones(3), least=0.05)
    torch.testing.assert_close(velocity, (x_1 - x_0) / 0.05)


def test_times_are_logit_normal_and_reproducible():
    times = sample_times(20_000, -0.6, 1.0, torch.Generator().manual_seed(1))
    logits = torch.logit(times)
    assert abs(float(logits.mean()) + 0.6) < 0.03
    assert abs(float(logits.std()) - 1.0) < 0.03
    torch.testing.assert_close(times, sample_times(20_000, -0.6, 1.0, torch.Generator().manual_seed(1)))
