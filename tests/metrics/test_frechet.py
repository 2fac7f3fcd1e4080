import math

import pytest
import torch

from makesomenoise.metrics.frechet import Gaussian, fit_gaussian, frechet_distance


def test_distance_of_gaussians_with_diagonal_covariance_has_a_closed_form():
    first = Gaussian(torch.tensor([0.0, 0.0]).double(), torch.diag(torch.tensor([1.0, 4.0])).double())
    second = Gaussian(torch.tensor([3.0, 4.0]).double(), torch.diag(torch.tensor([9.0, 1.0])).double())
    # |m|^2 = 25; the difference of standard deviations is (2, 1), squared and added 5.
    assert math.isclose(frechet_distance(first, second), 30.0, rel_tol=1e-12)


def test_distance_does_not_change_when_both_are_rotated():
    angle = torch.tensor(0.7).double()
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    one, two = torch.diag(torch.tensor([1.0, 4.0])).double(), torch.diag(torch.tensor([9.0, 1.0])).double()
    zero = torch.zeros(2).double()
    plain = frechet_distance(Gaussian(zero, one), Gaussian(zero, two))
    turned = frechet_distance(Gaussian(zero, turn @ one @ turn.T), Gaussian(zero, turn @ two @ turn.T))
    assert math.isclose(plain, turned, rel_tol=1e-9)


def test_identical_features_have_no_distance_even_if_they_are_fewer_than_dimensions():
    features = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(fit_gaussian(features), fit_gaussian(features)) < 1e-6


def test_fit_gives_mean_and_unbiased_covariance():
    gaussian = fit_gaussian(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    assert gaussian.mean.tolist() == [1.0, 1.0]
    assert gaussian.covariance.tolist() == [[2.0, 0.0], [0.0, 0.0]]


def test_one_vector_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        fit_gaussian(torch.zeros(1, 4))
