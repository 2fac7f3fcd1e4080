"""Metrics of cases that have a closed form."""

import math

import pytest
import torch

from makesomenoise.metrics import (
    Gaussian,
    accuracy,
    balanced_accuracy,
    bootstrap_error,
    confusion,
    diversity,
    fit_gaussian,
    frechet_distance,
    log_mel_distance,
    mean_pairwise_distance,
    normalize_text,
    perplexity,
    stft_distance,
    top_accuracy,
    usage,
)

SCORES = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])


def test_accuracy_counts_the_highest_score():
    assert accuracy(SCORES, torch.tensor([0, 0, 0, 1])) == 0.75


def test_balanced_accuracy_gives_each_class_the_same_weight():
    assert balanced_accuracy(SCORES, torch.tensor([0, 0, 0, 1])) == 0.5


def test_the_standard_error_is_that_of_a_binomial_share():
    right = torch.arange(100) < 80
    assert bootstrap_error(right) == pytest.approx((0.8 * 0.2 / 100) ** 0.5, rel=0.05)
    assert bootstrap_error(right) == bootstrap_error(right) != bootstrap_error(right, seed=1)
    assert bootstrap_error(torch.ones(7, dtype=torch.bool)) == 0.0


def test_nothing_to_judge_is_refused():
    with pytest.raises(ValueError, match="not zero"):
        accuracy(SCORES[:0], torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match="same number"):
        balanced_accuracy(SCORES, torch.tensor([0]))


SCORES = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.1, 0.2, 0.3]])
CLASSES = torch.tensor([0, 1, 2, 2])


def test_the_right_class_may_stand_among_the_first():
    assert [top_accuracy(SCORES, CLASSES, count) for count in (1, 2, 3, 5)] == [0.5, 0.75, 1.0, 1.0]


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match="not zero"):
        top_accuracy(SCORES[:0], CLASSES[:0], 1)


def test_the_right_class_comes_first_in_the_confusion():
    assert confusion(SCORES.argmax(1), CLASSES, 3).tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 1]]


def test_uniform_codes_have_the_perplexity_of_the_codebook():
    assert math.isclose(perplexity(torch.arange(1024).repeat(3), 1024), 1024.0, rel_tol=1e-9)
    assert usage(torch.arange(1024), 1024) == 1.0


def test_a_single_code_has_perplexity_one():
    assert perplexity(torch.full((7, 9), 5), 1024) == 1.0
    assert usage(torch.full((7, 9), 5), 1024) == 1 / 1024


def test_perplexity_of_a_biased_pair():
    codes = torch.tensor([0, 0, 0, 1])
    assert math.isclose(perplexity(codes, 4), math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)), rel_tol=1e-9)
    assert usage(codes, 4) == 0.5


@pytest.mark.parametrize("codes", [[], [4], [-1]])
def test_missing_and_foreign_codes_are_refused(codes):
    with pytest.raises(ValueError, match="codes"):
        perplexity(torch.tensor(codes, dtype=torch.int64), 4)


def test_the_distance_is_the_mean_over_pairs():
    assert mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == pytest.approx(10 / 3)
    with pytest.raises(ValueError, match="at least two"):
        mean_pairwise_distance(torch.zeros(1, 3))


def test_only_members_of_a_class_are_compared_and_classes_weigh_alike():
    features = torch.tensor([[0.0], [2.0], [100.0], [100.0], [100.0], [500.0]])
    classes = torch.tensor([0, 0, 1, 1, 1, 2])
    assert diversity(features, classes) == pytest.approx(1.0)  # 2 and 0; a class of one has no distance
    assert diversity(features[-1:], classes[-1:]) is None


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


def noise(seed: int, samples: int = 12_000) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def test_identical_sounds_have_no_distance():
    assert log_mel_distance(noise(0), noise(0)) == 0.0
    assert stft_distance(noise(0), noise(0)) == 0.0


def test_log_mel_distance_of_a_gain_is_its_logarithm():
    mel = torch.rand(100, 40, generator=torch.Generator().manual_seed(0))
    assert math.isclose(log_mel_distance(mel, mel + math.log(2.0)), math.log(2.0), rel_tol=1e-6)


def test_stft_distance_of_a_gain_is_known_in_closed_form():
    # Half the amplitude: spectral convergence 1/2, log-magnitudes ln 2 apart, at every resolution.
    assert math.isclose(stft_distance(noise(0), 0.5 * noise(0)), 0.5 + math.log(2.0), rel_tol=1e-3)


def test_stft_distance_grows_with_the_error():
    assert stft_distance(noise(0), noise(0) + 0.01 * noise(1)) < stft_distance(noise(0), noise(0) + 0.3 * noise(1))


def test_silence_against_silence_is_zero_and_finite():
    assert stft_distance(torch.zeros(12_000), torch.zeros(12_000)) == 0.0


def test_texts_are_compared_without_case_and_punctuation():
    assert normalize_text(" A dog's  BARK, twice!\n") == "a dog's bark twice"
