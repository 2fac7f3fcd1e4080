"""How much of the base's language is forgotten: how well it foresees a text it has never seen, and how it chats.

The text, `forgetting.txt`, was written for this and is nowhere else. It is read in pieces that know nothing of each
other.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources

import numpy as np

from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.sampling import log_softmax
from makesomenoise.language.speaker import Speaker

FORGETTING = Measurement("forgetting", version="1")
QUESTIONS = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Why do people sleep? Answer in two sentences.",
)
_MAX_TOKENS = 60


@dataclass(frozen=True, slots=True)
class ChatSample:
    """A question without sound.

    Attributes:
        question: what was asked.
        base: what the base says.
        model: what the model says.
    """

    question: str
    base: str
    model: str


@dataclass(frozen=True, slots=True)
class Forgetting:
    """The language of a base and of the model made from it.

    Attributes:
        words: of the text.
        tokens: of the text.
        perplexity_base: of the base among its own tokens; exponential of the mean negative log-likelihood of a token.
        perplexity_model: of the model among all its tokens, codes included.
        perplexity_model_text_only: of the model among the tokens of the base, as where no sound may come.
        chat: greedy answers of both.
    """

    words: int
    tokens: int
    perplexity_base: float
    perplexity_model: float
    perplexity_model_text_only: float
    chat: tuple[ChatSample, ...]


def cached_forgetting(model: Speaker, cache: ResultCache) -> dict:
    """`measure_forgetting` as JSON takes it, measured once."""
    inputs = [hashlib.sha256(_text().encode()).hexdigest(), *QUESTIONS]
    return cache.get(FORGETTING, inputs, lambda: asdict(measure_forgetting(model)))


def measure_forgetting(model: Speaker, questions: Sequence[str] = QUESTIONS) -> Forgetting:
    """Compares a model with its base.

    Args:
        model: trained.
        questions: to ask both.

    Raises:
        LanguageError: if the base cannot be loaded.
    """
    text, base = _text(), model.base_alone()
    tokens = model.vocabulary.text(text)
    answers = [greedy_answers(one, [prompt_about(one, q) for q in questions], _MAX_TOKENS) for one in (base, model)]
    return Forgetting(
        words=len(text.split()),
        tokens=len(tokens),
        perplexity_base=perplexity(base, tokens, text_only=True),
        perplexity_model=perplexity(model, tokens),
        perplexity_model_text_only=perplexity(model, tokens, text_only=True),
        chat=tuple(ChatSample(*said) for said in zip(questions, *answers, strict=True)),
    )


def perplexity(model: Speaker, tokens: Sequence[int], text_only: bool = False, piece: int = 512) -> float:
    """Exponential of the mean negative log-likelihood of tokens.

    Args:
        model: foresees them.
        tokens: of text, at least two; the first of each piece is not counted.
        text_only: whether only tokens of text could come, and no words of sound.
        piece: how many are read at once.
    """
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, piece):
        part = tokens[start : start + piece]
        hidden = model.engine.read_branches(model.engine.begin(1), [part[:-1]])
        scores = model.engine.text_scores(hidden)
        if not text_only:
            scores = np.concatenate((scores, model.engine.audio_scores(hidden)), axis=1)
        total -= float(log_softmax(scores)[np.arange(len(hidden)), part[1:]].sum())
        count += len(hidden)
    return math.exp(total / count)


def _text() -> str:
    return resources.files("makesomenoise.evaluation.language").joinpath("forgetting.txt").read_text(encoding="utf-8")
