"""Fréchet distance between two sets of features, each taken as a Gaussian; pure functions of arrays."""

from dataclasses import dataclass

import torch
from torch import Tensor

from makesomenoise.errors import RequestError


@dataclass(frozen=True, slots=True)
class Gaussian:
    """A normal distribution in float64.

    Attributes:
        mean: [E].
        covariance: [E, E].
    """

    mean: Tensor
    covariance: Tensor


def fit_gaussian(features: Tensor) -> Gaussian:
    """The Gaussian with the mean and the unbiased covariance of `features` [B, E].

    Raises:
        RequestError: if there are fewer than two rows.
    """
    if len(features) < 2:  # noqa: PLR2004 - a covariance needs two points
        raise RequestError(f"Got {len(features)} feature vectors; a Gaussian needs at least two.")
    return Gaussian(features.double().mean(dim=0), torch.cov(features.double().T).reshape(features.shape[1], -1))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared 2-Wasserstein distance of two Gaussians: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    The trace of the root is taken from the symmetric C1^(1/2) C2 C1^(1/2), which has the same eigenvalues (Dowson and
    Landau 1982; Heusel et al. 2017).
    """
    root = _root(first.covariance)
    overlap = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp_min(0).sqrt().sum()
    spread = first.covariance.trace() + second.covariance.trace() - 2 * overlap
    return ((first.mean - second.mean).square().sum() + spread).clamp_min(0).item()


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
