"""The rows of new words in an embedding matrix, from which training starts."""

import torch
from torch import Tensor


def initial_rows(codebook: Tensor, text_rows: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of an embedding matrix for the new words, from which training starts.

    Codes get the vectors of the codebook, turned into the space of the embeddings without changing what is near what,
    with the mean and the overall deviation of the rows of text. Start and end are near that mean.

    Args:
        codebook: [K, D] the vector of every code.
        text_rows: [V, H] rows of the text tokens.
        generator: source of randomness.

    Returns:
        [K + 2, H] float32: codes, start, end.
    """
    text_rows, codebook = text_rows.detach().float().cpu(), codebook.detach().float().cpu()
    mean, deviation = text_rows.mean(0), _deviation(text_rows)
    sizes = codebook.shape[1], text_rows.shape[1]
    turn = torch.linalg.qr(torch.randn(max(sizes), min(sizes), generator=generator)).Q
    rows = codebook @ (turn.T if sizes[0] <= sizes[1] else turn)
    rows = (rows - rows.mean(0)) * (deviation / _deviation(rows).clamp_min(1e-8))
    ends = 0.1 * deviation * torch.randn(2, text_rows.shape[1], generator=generator)
    return mean + torch.cat((rows, ends))


def _deviation(rows: Tensor) -> Tensor:
    """Root mean square of what rows [N, H] add to their mean, a scalar."""
    return (rows - rows.mean(0)).square().mean().sqrt()
