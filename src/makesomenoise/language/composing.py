"""Sounds from a text, as codes, and what is known of one that was made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from makesomenoise.language.generation import sample_codes
from makesomenoise.language.orders import sound_order
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import GENERATING, Sampling, seeded
from makesomenoise.language.speaker import Speaker

BestBy = Literal["caption"]


@dataclass(frozen=True, eq=False)
class Generated:
    """A sound that was made from a text.

    Attributes:
        waveform: [S].
        sound: its codes.
        seed: the same text, length and seed give this sound.
        score: how likely the model itself says that text of it, a log-likelihood; none where that was not asked.
        others: the scores of the candidates that it is better than.
    """

    waveform: np.ndarray
    sound: Sound
    seed: int
    score: float | None = None
    others: tuple[float, ...] = ()


def compose(
    model: Speaker,
    text: str,
    seconds: float,
    seed: int = 0,
    sampling: Sampling = GENERATING,
    candidates: int = 1,
    report: Callable[[float], object] | None = None,
) -> list[Sound]:
    """Makes sounds from a text, as codes.

    Args:
        model: makes them.
        text: what is to be heard; anything where it is empty.
        seconds: length of each; the last code may reach beyond it.
        seed: the same seed gives the same sounds.
        sampling: how codes are drawn.
        candidates: number of sounds, made in one batch.
        report: called with the share that is drawn, now and again.

    Raises:
        LanguageError: if the length is not above 0 or does not fit into the context.
    """
    asked = sound_order(model, text, seconds)
    rows = sample_codes(model, asked.prompt, asked.nothing, asked.count, sampling, seeded(seed), candidates, report)
    return [Sound(tuple(row), seconds) for row in rows.tolist()]
