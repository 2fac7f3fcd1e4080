"""Batches of conversations of about equal length: what a language model's training sees at each step.

Batch number `n` depends on the seed and on `n` alone, so that a resumed run goes on with the batch it would have had.
Conversations are drawn in pools of many batches, sorted by length and cut into batches of about as many tokens, padding
included: hardly any work is spent on padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from makesomenoise.data.examples import Examples
from makesomenoise.errors import DataError
from makesomenoise.language.prompts import IGNORED, Example, Prompts

Item = TypeVar("Item")

POOL = 16  # batches of about equal work that are drawn at once
MOST_DRAWN, _MOST_POOLS = 1_000_000, 100_000  # numbers of what is drawn for different pools and parts never meet


class BatchesError(DataError):
    """Conversations that no batches can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Part:
    """A stretch of a training with a mixture of its own.

    Attributes:
        examples: what is drawn from.
        batches: how many batches long it is.
    """

    examples: Examples
    batches: int


class Batches(Dataset[dict[str, Tensor]]):
    """All batches of a run in order.

    Args:
        parts: what comes after what.
        prompts: turns conversations into tokens.
        batch_tokens: tokens of a batch, about.
        most_tokens: longer conversations are left out.
        seed: of the order within a pool.
    """

    def __init__(self, parts: Sequence[Part], prompts: Prompts, batch_tokens: int, most_tokens: int, seed: int):
        self.parts, self.prompts, self.seed = parts, prompts, seed
        self.batch_tokens, self.most_tokens = batch_tokens, most_tokens
        self._pool: tuple[tuple[int, int], list[dict[str, Tensor]]] = (-1, -1), []

    def __len__(self) -> int:
        return sum(part.batches for part in self.parts)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """Batch `number`: `tokens`, `labels`, `attention_mask`, each [B, L]."""
        if number >= len(self):
            raise IndexError(number)
        place = 0
        while number >= self.parts[place].batches:
            number -= self.parts[place].batches
            place += 1
        wanted = place, number // POOL
        if self._pool[0] != wanted:
            self._pool = wanted, self._drawn(*wanted)
        return self._pool[1][number % POOL]

    def _drawn(self, place: int, pool: int) -> list[dict[str, Tensor]]:
        """The batches of a pool, in random order."""
        found: list[Example] = []
        tokens, number = 0, 0
        examples = self.parts[place].examples
        while tokens < POOL * self.batch_tokens or len(found) < POOL:
            if number == MOST_DRAWN:
                raise BatchesError(f"Hardly any conversation has at most {self.most_tokens} tokens: allow for more.")
            example = self.prompts.example(examples[(place * _MOST_POOLS + pool) * MOST_DRAWN + number].turns)
            number += 1
            if len(example.tokens) <= self.most_tokens:
                found.append(example)
                tokens += len(example.tokens)
        order = np.random.default_rng([self.seed, place, pool])
        return [collate(batch) for batch in cut(found, [len(example.tokens) for example in found], order)]


def cut(items: Sequence[Item], lengths: Sequence[int], rng: np.random.Generator) -> list[list[Item]]:
    """Cuts a pool into batches of neighbours in length and of about as many tokens each, none of them empty.

    Args:
        items: what is in the pool, at least as many as batches.
        lengths: of each, in tokens.
        rng: chooses the order of the batches.

    Returns:
        `POOL` batches.
    """
    order = sorted(range(len(items)), key=lambda place: lengths[place])
    ends, least = np.cumsum([lengths[place] for place in order]), np.arange(1, POOL)
    cuts = np.searchsorted(ends, ends[-1] * np.arange(1, POOL) / POOL)
    cuts = least + np.maximum.accumulate(np.clip(cuts - least, 0, len(items) - POOL))
    batches = [[items[n] for n in order[first:last]] for first, last in pairwise([0, *map(int, cuts), len(items)])]
    return [batches[int(n)] for n in rng.permutation(POOL)]


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Examples to tensors [B, L], padded at the end."""
    longest = max(len(example.tokens) for example in examples)

    def padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
        return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows])

    return {
        "tokens": padded([example.tokens for example in examples], 0),
        "labels": padded([example.labels for example in examples], IGNORED),
        "attention_mask": padded([[1] * len(example.tokens) for example in examples], 0),
    }
