"""What is said in a conversation about a sound: a question with the sound beside it, or a request and the sound."""

import numpy as np

from makesomenoise.data import phrasings
from makesomenoise.language import wording
from makesomenoise.language.prompts import Part, Sound, Turn

_SOUND_FIRST = 0.8


def heard(codes: tuple[int, ...], question: str, answer: str, rng: np.random.Generator) -> tuple[Turn, ...]:
    """A question about codes [N], and its answer."""
    return Turn("user", with_sound(codes, question, rng)), Turn("assistant", (answer,))


def with_sound(codes: tuple[int, ...], question: str, rng: np.random.Generator) -> tuple[Part, ...]:
    """Codes [N] and a question about them; the sound mostly comes first."""
    return (Sound(codes), question) if rng.random() < _SOUND_FIRST else (question, Sound(codes))


def made(
    text: str, codes: tuple[int, ...], code_rate: float, unconditional: float, rng: np.random.Generator
) -> tuple[Turn, ...]:
    """A request for a sound of a length, and the sound.

    Args:
        text: what is asked for.
        codes: [N], what is made.
        code_rate: codes a second.
        unconditional: share of the requests that ask for nothing but the length.
        rng: chooses the wording.
    """
    length = wording.length(len(codes) / code_rate)
    question = phrasings.question("generate", rng, text=text, length=length)
    if rng.random() < unconditional:
        question = wording.ANYTHING.format(length=length)
    return Turn("user", (question,)), Turn("assistant", (Sound(codes),))
