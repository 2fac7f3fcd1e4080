"""How much of the base's language is forgotten: how well it foresees a text it has never seen, and how it chats.

The text, `forgetting.txt`, was written for this and is nowhere else. It is read in pieces that know nothing of each
other.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources

import torch

from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.language.base import load_base
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.vocabulary import AudioVocabulary

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


def cached_forgetting(model: LanguageModel, cache: ResultCache) -> dict:
    """`measure_forgetting` as JSON takes it, measured once."""
    inputs = [hashlib.sha256(_text().encode()).hexdigest(), *QUESTIONS]
    return cache.get(FORGETTING, inputs, lambda: asdict(measure_forgetting(model)))


def measure_forgetting(model: LanguageModel, questions: Sequence[str] = QUESTIONS) -> Forgetting:
    """Compares a model with its base.

    Args:
        model: trained.
        questions: to ask both.

    Raises:
        LanguageError: if the base cannot be loaded.
    """
    text, base = _text(), _base_alone(model)
    tokens = model.vocabulary.text(text)
    answers = [greedy_answers(one, [prompt_about(one, q) for q in questions], _MAX_TOKENS) for one in (base, model)]
    return Forgetting(
        words=len(text.split()),
        tokens=len(tokens),
        perplexity_base=perplexity(base, tokens, base.vocabulary.first),
        perplexity_model=perplexity(model, tokens),
        perplexity_model_text_only=perplexity(model, tokens, model.vocabulary.first),
        chat=tuple(ChatSample(*said) for said in zip(questions, *answers, strict=True)),
    )


@torch.inference_mode()
def perplexity(model: LanguageModel, tokens: Sequence[int], among: int | None = None, piece: int = 512) -> float:
    """Exponential of the mean negative log-likelihood of tokens.

    Args:
        model: foresees them.
        tokens: at least two; the first of each piece is not counted.
        among: number of tokens that could come, from the first of the vocabulary on; none takes all.
        piece: how many are read at once.
    """
    total, count = 0.0, 0
    for start in range(0, len(tokens) - 1, piece):
        part = torch.tensor([tokens[start : start + piece]], device=model.rows.device)
        scores = model.logits(model.hidden(part)[0, :-1])[:, :among].float()
        total += float(torch.nn.functional.cross_entropy(scores, part[0, 1:], reduction="sum"))
        count += len(scores)
    return math.exp(total / count)


def _text() -> str:
    return resources.files("makesomenoise.evaluation.language").joinpath("forgetting.txt").read_text(encoding="utf-8")


def _base_alone(model: LanguageModel) -> LanguageModel:
    """The base with room for codes, which it has never met."""
    weight = next(model.causal.parameters())
    base = load_base(model.config.base, weight.dtype)
    vocabulary = AudioVocabulary.extend(base.text_tokenizer, model.config.codebook_size)
    if vocabulary.end >= base.network.get_input_embeddings().get_parameter("weight").shape[0]:
        base.network.resize_token_embeddings(vocabulary.end + 1, mean_resizing=False)
    return LanguageModel(model.config, base.network.requires_grad_(False), vocabulary).to(weight.device)
