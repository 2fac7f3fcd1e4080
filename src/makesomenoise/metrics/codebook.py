"""How a stream of codes uses its codebook; pure functions of arrays."""

import torch
from torch import Tensor

from makesomenoise.errors import RequestError


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
