"""How often scores name the right class; pure functions of arrays."""

import torch
from torch import Tensor

from makesomenoise.errors import RequestError


def accuracy(scores: Tensor, classes: Tensor) -> float:
    """Share of rows whose highest score is the right class.

    Args:
        scores: [B, classes].
        classes: number of the right class, [B] int64.

    Raises:
        RequestError: if there is nothing to judge.
    """
    return _right(scores, classes).mean().item()


def balanced_accuracy(scores: Tensor, classes: Tensor) -> float:
    """Mean over the classes that occur of the share of their rows that is right; arguments and errors as `accuracy`."""
    right = _right(scores, classes)
    return torch.stack([right[classes == number].mean() for number in classes.unique()]).mean().item()


def bootstrap_error(right: Tensor, draws: int = 1000, seed: int = 0) -> float:
    """Standard error of a share, from clips drawn again and again with replacement (Efron 1979).

    Args:
        right: [B] bool, whether each clip counts.
        draws: how often B clips are drawn.
        seed: of the draws.
    """
    picked = torch.randint(len(right), (draws, len(right)), generator=torch.Generator().manual_seed(seed))
    return right.double()[picked].mean(1).std(correction=0).item()


def _right(scores: Tensor, classes: Tensor) -> Tensor:
    if len(scores) == 0 or len(scores) != len(classes):
        raise RequestError(
            f"Got {len(scores)} rows of scores for {len(classes)} clips; expected the same number, not zero."
        )
    return (scores.argmax(dim=-1) == classes).double()
