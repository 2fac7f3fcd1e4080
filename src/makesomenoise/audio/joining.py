"""One sound after another without a step between them; knows no file and no model."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Continuation:
    """What follows a sound.

    Attributes:
        lead: [n] the end of the sound as whatever made the rest has it, to be cross-faded with it.
        waveform: [S] what follows.
    """

    lead: Tensor
    waveform: Tensor


def crossfaded(before: Tensor, lead: Tensor, after: Tensor) -> Tensor:
    """A sound and what follows it as one.

    Args:
        before: [S] the sound.
        lead: [n] its end as whatever made `after` has it, n <= S: the two are cross-faded.
        after: [s] what follows the lead.

    Returns:
        [S + s].
    """
    if not len(lead):
        return torch.cat((before, after))
    share = torch.linspace(0.0, 1.0, len(lead))
    seam = before[-len(lead) :] * (1.0 - share) + lead * share
    return torch.cat((before[: -len(lead)], seam, after))
