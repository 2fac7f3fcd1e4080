"""Metrics as pure functions: of classes, codebooks, sets of features, sounds and texts."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def perplexity(codes: Tensor, codebook_size: int) -> float:
    """Exponential of the entropy of the codes: the number of equally likely codes that would be as varied.

    Args:
        codes: integers in [0, K), any shape.
        codebook_size: K.

    Returns:
        From 1 (one code only) to K (all alike).

    Raises:
        RequestError: if there are no codes or one lies outside the codebook.
    """
    shares = _counts(codes, codebook_size).double() / codes.numel()
    return torch.special.entr(shares).sum().exp().item()


def usage(codes: Tensor, codebook_size: int) -> float:
    """Share of the codebook that occurs at all, from 0 to 1; arguments and errors as for `perplexity`."""
    return (_counts(codes, codebook_size) > 0).double().mean().item()


def _counts(codes: Tensor, codebook_size: int) -> Tensor:
    if codes.numel() == 0:
        raise RequestError("Got no codes; their statistics need at least one.")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise RequestError(f"Got codes from {low} to {high}; expected integers from 0 to {codebook_size - 1}.")
    return torch.bincount(codes.flatten(), minlength=codebook_size)


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


_FLOOR = 1e-5


def log_mel_distance(first: Tensor, second: Tensor) -> float:
    """Mean absolute difference of two log-mels [..., M, T], in units of the natural logarithm of magnitude."""
    return (first - second).abs().double().mean().item()


def stft_distance(first: Tensor, second: Tensor, windows: Sequence[int] = (256, 1024, 4096)) -> float:
    """Multi-resolution STFT distance of two waveforms.

    At each resolution: spectral convergence (norm of the difference of magnitudes over the norm of the first's) plus
    the mean absolute difference of log-magnitudes; then the mean over resolutions. Yamamoto et al. 2020 (Parallel
    WaveGAN), equations 4-6.

    Args:
        first: the reference, [S].
        second: what is compared with it, [S].
        windows: lengths of the Hann windows, samples; the hop is a quarter of each.
    """
    return sum(_one_resolution(first, second, window) for window in windows) / len(windows)


def _one_resolution(first: Tensor, second: Tensor, window: int) -> float:
    one, two = _magnitude(first, window), _magnitude(second, window)
    convergence = (one - two).norm() / one.norm().clamp_min(_FLOOR)
    difference = (one.clamp_min(_FLOOR).log() - two.clamp_min(_FLOOR).log()).abs().mean()
    return (convergence + difference).item()


def _magnitude(waveform: Tensor, window: int) -> Tensor:
    taper = torch.hann_window(window, dtype=waveform.dtype)
    return torch.stft(waveform, window, window // 4, window=taper, pad_mode="constant", return_complex=True).abs()


def normalize_text(text: str) -> str:
    """A text in lower case without punctuation, one space between words, as texts are compared."""
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split())
