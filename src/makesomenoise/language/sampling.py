"""How one of many scores is drawn; knows no model."""

import math
from dataclasses import dataclass

import numpy as np

from makesomenoise.language.config import LanguageError

_MOST_GUIDANCE = 100.0
_SEEDS = 2**63


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: 0 takes the likeliest; 1 draws as the model says.
        top_k: draw among so many of the likeliest; 0 draws among all.
        guidance: scale of the difference that the condition makes; 1 is off.
        top_p: draw among the fewest of the likeliest that come to this probability together; 1 draws among all.
    """

    temperature: float = 1.0
    top_k: int = 0
    guidance: float = 1.0
    top_p: float = 1.0

    def __post_init__(self):
        if not 0.0 <= self.temperature < math.inf or self.top_k < 0:
            raise LanguageError(f"Temperature and top-k must not be negative; got {self.temperature}, {self.top_k}.")
        if not 0.0 < self.top_p <= 1.0:
            raise LanguageError(f"Top-p must lie above 0 and not above 1, which is off; got {self.top_p}.")
        if not 0.0 <= self.guidance <= _MOST_GUIDANCE:
            raise LanguageError(f"Guidance must lie between 0 and {_MOST_GUIDANCE:g}, 1 is off; got {self.guidance}.")


GREEDY = Sampling(temperature=0.0)
TALKING = Sampling(temperature=0.7, top_k=40)
GENERATING = Sampling(temperature=1.0, top_k=0, guidance=3.0)


def seeded(seed: int) -> np.random.Generator:
    """A source of randomness, from any integer."""
    return np.random.default_rng(seed % _SEEDS)


def draw(scores: np.ndarray, sampling: Sampling, generator: np.random.Generator) -> np.ndarray:
    """Scores [B, V] to one index each [B].

    Args:
        scores: logits, minus infinity where nothing may be drawn.
        sampling: how; guidance is not used.
        generator: source of randomness.
    """
    if sampling.temperature == 0:
        return scores.argmax(-1)
    if 0 < sampling.top_k < scores.shape[-1]:
        least = np.partition(scores, -sampling.top_k)[:, -sampling.top_k, None]
        scores = np.where(scores < least, -np.inf, scores)
    # The likeliest at zero, so that no temperature is too low.
    above = scores.astype(np.float64) - scores.max(-1, keepdims=True)
    with np.errstate(over="ignore"):
        chances = np.exp(above / sampling.temperature)
    chances /= chances.sum(-1, keepdims=True)
    if sampling.top_p < 1.0:
        chances = _likeliest(chances, sampling.top_p)
    reached = chances.cumsum(-1)
    return (reached <= generator.random((len(scores), 1)) * reached[:, -1:]).sum(-1)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Scores [..., V] to log-probabilities."""
    above = scores - scores.max(-1, keepdims=True)
    return above - np.log(np.exp(above).sum(-1, keepdims=True))


def _likeliest(chances: np.ndarray, together: float) -> np.ndarray:
    """Probabilities [B, V], 0 but for the fewest of the likeliest that come to `together`, at least one."""
    places = np.argsort(-chances, axis=-1, kind="stable")
    ordered = np.take_along_axis(chances, places, -1)
    before = ordered.cumsum(-1) - ordered
    kept = np.zeros_like(chances)
    np.put_along_axis(kept, places, np.where(before >= together, 0.0, ordered), -1)
    return kept
