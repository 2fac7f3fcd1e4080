"""Sounds from a text, as codes: how they are asked for, and what is known of one that was made."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from makesomenoise.language import wording
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import sample_codes
from makesomenoise.language.listening import prompt_about
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
    count = code_count(model, text, seconds)
    prompt, nothing = (prompt_about(model, request(words, seconds), room=0) for words in (text, ""))
    rows = sample_codes(model, prompt, nothing, count, sampling, seeded(seed), candidates, report)
    return [Sound(tuple(row), seconds) for row in rows.tolist()]


def request(text: str, seconds: float) -> str:
    """What asks for a sound, or for any sound of that length where the text is empty."""
    clause, length = wording.clause(text), wording.length(seconds)
    return wording.GENERATE.format(length=length, text=clause) if clause else wording.ANYTHING.format(length=length)


def code_count(model: Speaker, text: str, seconds: float) -> int:
    """How many codes a sound takes; the last may reach beyond it.

    Raises:
        LanguageError: if the length is not above 0 or does not fit into the context.
    """
    if not 0.0 < seconds < math.inf:
        raise LanguageError(f"Cannot make {seconds:g} s of sound: give a length above 0 s.")
    count = max(math.ceil(round(seconds * model.config.code_rate, 6)), 1)
    taken = max(len(prompt_about(model, request(words, seconds), room=0)) for words in (text, ""))
    room = model.config.context_tokens - 1 - taken
    if count > room:
        most = room / model.config.code_rate
        raise LanguageError(f"Cannot make {seconds:g} s of sound: at most {most:.1f} s fit into the context.")
    return count
