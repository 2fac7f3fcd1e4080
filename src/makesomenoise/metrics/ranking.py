"""Where in a ranking the right class stands; pure functions of arrays."""

import torch
from torch import Tensor

from makesomenoise.errors import RequestError


def top_accuracy(scores: Tensor, classes: Tensor, count: int) -> float:
    """Share of rows whose right class is among the `count` highest scores.

    Args:
        scores: [B, classes].
        classes: number of the right class, [B] int64.
        count: how many may be looked at; all of them if there are no more.

    Raises:
        RequestError: if there is nothing to judge.
    """
    if len(scores) == 0 or len(scores) != len(classes):
        raise RequestError(
            f"Got {len(scores)} rows of scores for {len(classes)} clips; expected the same number, not zero."
        )
    best = scores.topk(min(count, scores.shape[1]), dim=1).indices
    return (best == classes[:, None]).any(1).double().mean().item()


def confusion(predicted: Tensor, classes: Tensor, count: int) -> Tensor:
    """How often each class was taken for each.

    Args:
        predicted: number of the class that was said, [B] int64.
        classes: number of the right class, [B] int64.
        count: number of classes C.

    Returns:
        [C, C] int64, the right class first.
    """
    return torch.bincount(classes * count + predicted, minlength=count * count).reshape(count, count)
