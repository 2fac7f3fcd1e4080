"""One sound after another without a step between them; knows no file and no model."""

from dataclasses import dataclass
from typing import Self

import numpy as np

_FADE_SECONDS = 0.02


@dataclass(frozen=True, eq=False)
class Continuation:
    """What follows a sound.

    Attributes:
        lead: [n] the end of the sound as whatever made the rest has it, to be cross-faded with it.
        waveform: [S] what follows.
    """

    lead: np.ndarray
    waveform: np.ndarray

    @classmethod
    def cut(cls, whole: np.ndarray, seam: int, seconds: float, sample_rate: int) -> Self:
        """A sound of which what lies behind the seam is new.

        Args:
            whole: [S].
            seam: samples before what is new.
            seconds: how much of that is kept.
            sample_rate: Hz.
        """
        faded = min(round(_FADE_SECONDS * sample_rate), seam)
        return cls(whole[seam - faded : seam], whole[seam : seam + round(seconds * sample_rate)])


def crossfaded(before: np.ndarray, lead: np.ndarray, after: np.ndarray) -> np.ndarray:
    """A sound and what follows it as one.

    Args:
        before: [S] the sound.
        lead: [n] its end as whatever made `after` has it, n <= S: the two are cross-faded.
        after: [s] what follows the lead.

    Returns:
        [S + s].
    """
    if not len(lead):
        return np.concatenate((before, after))
    share = np.linspace(0.0, 1.0, len(lead), dtype=np.float32)
    seam = before[-len(lead) :] * (1.0 - share) + lead * share
    return np.concatenate((before[: -len(lead)], seam, after))
