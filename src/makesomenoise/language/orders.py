"""Sounds of an exact length that are ordered, by a text or by their beginning, as the tokens that are to be read."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from makesomenoise.language import wording
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import sample_codes
from makesomenoise.language.listening import prompt_about
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import Sampling, seeded
from makesomenoise.language.speaker import Speaker


@dataclass(frozen=True)
class Order:
    """A sound that is asked for, in tokens.

    Attributes:
        prompt: up to where the sound is to begin.
        nothing: the same with nothing asked for, against which guidance compares.
        count: number of codes.
    """

    prompt: tuple[int, ...]
    nothing: tuple[int, ...]
    count: int


def sound_order(model: Speaker, text: str, seconds: float, without: str = "") -> Order:
    """Asks for a sound by a text.

    Args:
        model: makes it.
        text: what is to be heard; anything where it is empty.
        seconds: its length; the last code may reach beyond it.
        without: what is not to be heard, for guidance to lead away from.

    Raises:
        LanguageError: if the length is not above 0 or does not fit into the context.
    """
    _check(seconds)
    return _fitting(model, [prompt_about(model, request(words, seconds), room=0) for words in (text, without)], seconds)


def request(text: str, seconds: float) -> str:
    """What asks for a sound, or for any sound of that length where the text is empty."""
    clause, length = wording.clause(text), wording.length(seconds)
    return wording.GENERATE.format(length=length, text=clause) if clause else wording.ANYTHING.format(length=length)


def continuation_order(model: Speaker, sound: Sound, seconds: float) -> Order:
    """Asks how a sound goes on.

    Args:
        model: makes what follows.
        sound: the beginning.
        seconds: length of what follows; the last code may reach beyond it.

    Raises:
        LanguageError: if the sound is empty, or both do not fit into the context.
    """
    _check(seconds)
    asked = prompt_about(model, wording.GO_ON.format(length=wording.length(seconds)), sound, room=0)
    return _fitting(model, [asked, prompt_about(model, request("", seconds), room=0)], seconds)


def continued(
    model: Speaker,
    sound: Sound,
    seconds: float,
    seed: int,
    sampling: Sampling,
    report: Callable[[float], object] | None = None,
) -> Sound:
    """Draws how a sound goes on.

    Args:
        model: makes what follows.
        sound: the beginning.
        seconds: length of what follows.
        seed: the same seed gives the same sound.
        sampling: how codes are drawn.
        report: called with the share that is drawn, now and again.

    Raises:
        LanguageError: as `continuation_order`.
    """
    asked = continuation_order(model, sound, seconds)
    rows = sample_codes(model, asked.prompt, asked.nothing, asked.count, sampling, seeded(seed), report=report)
    return Sound(tuple(rows[0].tolist()))


def _check(seconds: float) -> None:
    if not 0.0 < seconds < math.inf:
        raise LanguageError(f"Cannot make {seconds:g} s of sound: give a length above 0 s.")


def _fitting(model: Speaker, prompts: list[list[int]], seconds: float) -> Order:
    count = max(math.ceil(round(seconds * model.config.code_rate, 6)), 1)
    room = model.config.context_tokens - 1 - max(map(len, prompts))
    if count > room:
        most = room / model.config.code_rate
        raise LanguageError(f"Cannot make {seconds:g} s of sound: at most {most:.1f} s fit into the context.")
    return Order(tuple(prompts[0]), tuple(prompts[1]), count)
