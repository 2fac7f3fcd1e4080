"""How much the members of a set differ; pure functions of arrays."""

import torch
from torch import Tensor

from makesomenoise.errors import RequestError


def mean_pairwise_distance(features: Tensor) -> float:
    """Mean Euclidean distance between any two different rows of `features` [B, E].

    Raises:
        RequestError: if there are fewer than two rows.
    """
    if len(features) < 2:  # noqa: PLR2004 - a distance needs two points
        raise RequestError(f"Got {len(features)} feature vectors; a distance needs at least two.")
    return torch.nn.functional.pdist(features.double()).mean().item()


def diversity(features: Tensor, classes: Tensor) -> float | None:
    """Mean over classes of the distance between their members.

    Args:
        features: [B, E].
        classes: number of the class of each row, [B] int64.

    Returns:
        0 where all members of each class are the same; None where no class has two.
    """
    groups = [features[classes == number] for number in classes.unique()]
    spreads = [mean_pairwise_distance(group) for group in groups if len(group) > 1]
    return sum(spreads) / len(spreads) if spreads else None
