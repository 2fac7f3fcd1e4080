import pytest
import torch

from makesomenoise.metrics.ranking import confusion, top_accuracy

SCORES = torch.tensor([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.1, 0.2, 0.3]])
CLASSES = torch.tensor([0, 1, 2, 2])


def test_the_right_class_may_stand_among_the_first():
    assert [top_accuracy(SCORES, CLASSES, count) for count in (1, 2, 3, 5)] == [0.5, 0.75, 1.0, 1.0]


def test_nothing_to_judge_is_refused():
    with pytest.raises(ValueError, match="not zero"):
        top_accuracy(SCORES[:0], CLASSES[:0], 1)


def test_the_right_class_comes_first_in_the_confusion():
    assert confusion(SCORES.argmax(1), CLASSES, 3).tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 1]]
