"""Times at which a flow is trained; knows neither the path nor the network."""

import torch
from torch import Tensor


def sample_times(
    count: int, mean: float, deviation: float, generator: torch.Generator, uniform_share: float = 0.0
) -> Tensor:
    """Training times [count] in (0, 1), logit-normal (Esser et al. 2024, eq. 19), some of them uniform.

    Args:
        count: number of times.
        mean: of the logit; below zero prefers noisy points.
        deviation: of the logit.
        generator: source of randomness; its device is the result's.
        uniform_share: share of the times that are uniform instead, so that the ends are seen too.
    """
    normal = torch.randn(count, generator=generator, device=generator.device)
    uniform, chance = torch.rand(2, count, generator=generator, device=generator.device)
    return torch.where(chance < uniform_share, uniform, torch.sigmoid(mean + deviation * normal))
