"""What a language model begins with when its codes are replaced: each new code starts as the old ones it stands for.

The same clips are encoded by both tokenizers, which make codes of the same rate. What an old code meant goes to the
new codes that sound at the same moments, in proportion.
"""

import torch
from torch import Tensor

from makesomenoise.data.codes import CodeClips
from makesomenoise.errors import DataError

_FEWEST = 100  # codes that both know


class OtherCodesError(DataError):
    """Codes of two tokenizers that cannot be compared; the message is one sentence for the user."""


def shared_moments(new: CodeClips, old: CodeClips, codebook_size: int) -> Tensor:
    """How often a new code and an old one sound at the same moment of the same clip.

    Args:
        new: clips as codes of one tokenizer.
        old: clips as codes of another one; those with a key that is among `new` count.
        codebook_size: K of both.

    Returns:
        [K, K] counts, a row for each new code.

    Raises:
        OtherCodesError: if hardly any clip is in both.
    """
    before = {clip.key: clip.codes for clip in old}
    counts = torch.zeros(codebook_size, codebook_size)
    for clip in new:
        codes = before.get(clip.key, ())
        length = min(len(codes), len(clip.codes))
        places = torch.tensor(clip.codes[:length]), torch.tensor(codes[:length])
        counts.index_put_(tuple(one.long() for one in places), torch.ones(length), accumulate=True)
    if counts.sum() < _FEWEST:
        raise OtherCodesError(
            "Hardly any clip of the training is among those encoded by the tokenizer of before: encode the same "
            "sources with both."
        )
    return counts


def translated(rows: Tensor, counts: Tensor) -> Tensor:
    """Rows [K, H] of new codes as means of those of old ones, and as long; what never sounded begins as all.

    Args:
        rows: [K, H] of the old codes.
        counts: see `shared_moments`.
    """
    share = counts + 1e-3  # a code that never sounded begins as all of them
    found = (share / share.sum(1, keepdim=True)) @ rows
    # A mean of many rows is shorter than they are, and the layers above know the length of a word.
    length = rows.norm(dim=1).mean()
    return found * (length / found.norm(dim=1, keepdim=True).clamp_min(1e-6))
