import pytest
import torch

from makesomenoise.metrics.diversity import diversity, mean_pairwise_distance


def test_the_distance_is_the_mean_over_pairs():
    assert mean_pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])) == pytest.approx(10 / 3)
    with pytest.raises(ValueError, match="at least two"):
        mean_pairwise_distance(torch.zeros(1, 3))


def test_only_members_of_a_class_are_compared_and_classes_weigh_alike():
    features = torch.tensor([[0.0], [2.0], [100.0], [100.0], [100.0], [500.0]])
    classes = torch.tensor([0, 0, 1, 1, 1, 2])
    assert diversity(features, classes) == pytest.approx(1.0)  # 2 and 0; a class of one has no distance
    assert diversity(features[-1:], classes[-1:]) is None
