"""The likeliest answers to many prompts at once, as texts."""

from collections.abc import Sequence

from makesomenoise.language.generation import sample_texts
from makesomenoise.language.listening import LONGEST_ANSWER, prompt_about
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import GREEDY, seeded
from makesomenoise.language.speech import spoken


def asked(model: LanguageModel, question: str, codes: Sequence[int] | None = None) -> list[int]:
    """The prompt of a question, about a sound where there is one.

    Args:
        model: is asked.
        question: not empty.
        codes: [N] of the sound.

    Raises:
        LanguageError: if they do not fit into the context.
    """
    return prompt_about(model, question, None if codes is None else Sound(tuple(codes)))


def greedy_answers(model: LanguageModel, prompts: Sequence[Sequence[int]], most: int = LONGEST_ANSWER) -> list[str]:
    """What a model says after each prompt.

    Args:
        model: answers.
        prompts: tokens up to where the assistant is to speak.
        most: the most tokens of an answer.

    Raises:
        LanguageError: if the context is too short.
    """
    found = sample_texts(model, prompts, most, GREEDY, seeded(0))
    return ["".join(str(piece) for piece in spoken(model.vocabulary, tokens)).strip() for tokens in found]
