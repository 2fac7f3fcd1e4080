import pytest
import torch

from makesomenoise.metrics.classification import accuracy, balanced_accuracy, bootstrap_error

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
