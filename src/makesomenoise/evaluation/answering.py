"""Questions to a language model about given codes, as prompts."""

from collections.abc import Sequence

from makesomenoise.language.listening import prompt_about
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound


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
