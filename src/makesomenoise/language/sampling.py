"""How one of many scores is drawn; knows no model."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

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


def seeded(seed: int) -> torch.Generator:
    """A source of randomness on the CPU, from any integer."""
    return torch.Generator().manual_seed(seed % _SEEDS)


def draw(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Scores [B, V] to one index each [B].

    Args:
        scores: logits, minus infinity where nothing may be drawn.
        sampling: how; guidance is not used.
        generator: source of randomness, on the CPU.
    """
    if sampling.temperature == 0:
        return scores.argmax(-1)
    if 0 < sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    # The likeliest at zero, so that no temperature is too low.
    chances = ((scores - scores.amax(-1, keepdim=True)) / sampling.temperature).softmax(-1).cpu()
    if sampling.top_p < 1.0:
        chances = _likeliest(chances, sampling.top_p)
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(scores.device)


def _likeliest(chances: Tensor, together: float) -> Tensor:
    """Probabilities [B, V], 0 but for the fewest of the likeliest that come to `together`, at least one."""
    ordered, places = chances.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(chances).scatter(-1, places, ordered.masked_fill(before >= together, 0.0))
