import pytest
import torch

from makesomenoise.metrics.classification import accuracy, balanced_accuracy

SCORES = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])


def test_accuracy_counts_the_highest_score():
    assert accuracy(SCORES, torch.tensor([0, 0, 0, 1])) == 0.75


def test_balanced_accuracy_gives_each_class_the_same_weight():
    assert balanced_accuracy(SCORES, torch.tensor([0, 0, 0, 1])) == 0.5


def test_nothing_to_judge_is_refused():
    with pytest.raises(ValueError, match="not zero"):
        accuracy(SCORES[:0], torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match="same number"):
        balanced_accuracy(SCORES, torch.tensor([0]))
