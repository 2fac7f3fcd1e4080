"""The loss of a language model on its answers, with scores computed only where there is loss.

Between the start and the end of a sound, generation draws among codes alone. Loss does the same in most places, which
saves two thirds of the work of scoring there; in every eighth, codes compete with all words, so that a merged model
keeps to codes where nothing constrains it.

Conversations and texts without any sound are there to keep the base's language: at each of their places the model is
held to what the base itself foresees, by the Kullback-Leibler divergence, which tells more than the word that came.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset

from makesomenoise.config import Config
from makesomenoise.data.instructions.examples import Examples
from makesomenoise.errors import DataError
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import IGNORED, Example, Prompts
from makesomenoise.training.language.sharding import is_sharded
from makesomenoise.training.language.trainer import Losses, TrainingTask

_ALL_WORDS_EVERY = 8
Item = TypeVar("Item")
POOL = 16  # batches of about equal work that are drawn at once
MOST_DRAWN, _MOST_POOLS = 1_000_000, 100_000  # numbers of what is drawn for different pools and stages never meet


class LossConfig(Config):
    """What loss is asked.

    Attributes:
        audio_weight: weight of a token of a sound; one of text has 1.
        z_loss: weight of the squared logarithm of the sum of exponentials of scores, which keeps them from drifting.
        kl_weight: weight of the divergence from the base where there is no sound, summed over its places and
            divided by the tokens of the batch.
    """

    audio_weight: float = Field(default=1.0, ge=0.0)
    z_loss: float = Field(default=1e-4, ge=0.0)
    kl_weight: float = Field(default=30.0, ge=0.0)


class SFTTask(TrainingTask):
    """A language model and the loss on what it answers.

    Args:
        language: learns.
        config: what loss is asked.
    """

    def __init__(self, language: LanguageModel, config: LossConfig):
        super().__init__(language)
        self.asked = config

    def forward(self, tokens: Tensor, labels: Tensor, attention_mask: Tensor) -> Losses:
        """The loss of a batch.

        Args:
            tokens: [B, L], padded at the end.
            labels: [B, L] the token itself where loss is asked, else -100.
            attention_mask: [B, L] 1 where there is a token, else 0.

        Returns:
            The loss, and in nats a token the mean cross-entropies `text` and `audio` and the mean divergence `kept`
            from the base.
        """
        spell = self.language.vocabulary
        silent = (attention_mask[:, 1:] == 1) & ~spell.is_audio(tokens).any(1, keepdim=True)
        wanted = self._base_scores(tokens, attention_mask, silent)  # before any graph is built: it turns matrices off
        hidden = self.language.hidden(tokens, attention_mask)[:, :-1]
        divergence = self._divergence(hidden[silent], wanted)
        asked = (labels[:, 1:] != IGNORED) & ~silent
        hidden, targets = hidden[asked], labels[:, 1:][asked]
        within = spell.is_audio(targets) & (targets != spell.start)
        everywhere = ~within | (torch.arange(len(targets), device=targets.device) % _ALL_WORDS_EVERY == 0)
        surprise, spread = targets.new_zeros(len(targets), dtype=torch.float32), 0.0
        for chosen, first in ((everywhere, 0), (~everywhere, spell.first)):
            scores = self._scores(hidden[chosen], first).float()
            surprise = surprise.masked_scatter(
                chosen, F.cross_entropy(scores, targets[chosen] - first, reduction="none")
            )
            spread = spread + scores.logsumexp(-1).square().sum()
        weights = torch.where(within, self.asked.audio_weight, 1.0)
        total = weights.sum().clamp_min(1e-8)
        loss = (weights * surprise).sum() / total + self.asked.z_loss * spread / max(len(targets), 1)
        loss = loss + self.asked.kl_weight * divergence.sum() / attention_mask.sum()
        told = surprise.detach()
        counts = {"text": (~within).sum(), "audio": within.sum(), "kept": silent.sum()}
        means = {
            "text": told[~within].sum() / counts["text"].clamp_min(1),
            "audio": told[within].sum() / counts["audio"].clamp_min(1),
            "kept": divergence.detach().mean() if len(divergence) else told.new_zeros(()),
        }
        return Losses(loss, means, counts)

    @torch.no_grad()
    def _base_scores(self, tokens: Tensor, attention_mask: Tensor, places: Tensor) -> Tensor:
        """What the base foresees at some places [P], as scores [P, V] of its own tokens."""
        rows, table = places.any(1), self.language.output_text_rows[: self.language.vocabulary.first]
        if is_sharded():
            rows[0] = True  # layers are gathered together, so that no process may leave this out
        if not rows.any():
            return table.new_zeros((0, len(table)), dtype=torch.float32)
        network: Any = self.language.network
        with network.disable_adapter():
            hidden = self.language.hidden(tokens[rows], attention_mask[rows])
        return F.linear(hidden[:, :-1][places[rows]], table.to(hidden.dtype)).float()

    def _divergence(self, hidden: Tensor, wanted: Tensor) -> Tensor:
        """How far what is foreseen from [P, H], sounds included, is from what the base foresees [P, V]: nats [P]."""
        if not len(hidden):
            return hidden.new_zeros(0, dtype=torch.float32)
        found = self._scores(hidden, 0).float().log_softmax(-1)[:, : wanted.shape[1]]
        return F.kl_div(found, wanted.log_softmax(-1), log_target=True, reduction="none").sum(-1)

    def _scores(self, hidden: Tensor, first: int) -> Tensor:
        """Scores of the tokens from `first` to the end of a sound, from [P, H]."""
        spell, table = self.language.vocabulary, self.language.output_text_rows
        rows = self.language.output_rows.to(hidden.dtype)
        scores = F.linear(hidden, rows)
        if first == spell.first:
            return scores
        return torch.cat((F.linear(hidden, table[: spell.first].to(hidden.dtype)), scores), dim=-1)


class BatchesError(DataError):
    """Conversations that no batches can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Stage:
    """A stretch of a training with task weights of its own.

    Attributes:
        examples: what is drawn from.
        batches: how many batches long it is.
    """

    examples: Examples
    batches: int


class DrawnAhead:
    """Pools of batches, of which a thread draws the next one while those of the last are learned from.

    Args:
        draw: gives the batches of the pool that its arguments name.
    """

    def __init__(self, draw: Callable[..., list[dict[str, Tensor]]]):
        self._draw = draw
        self._pools: dict[tuple[int, ...], Future[list[dict[str, Tensor]]]] = {}
        self._drawer: ThreadPoolExecutor | None = None

    def get(self, wanted: tuple[int, ...], following: tuple[int, ...] | None) -> list[dict[str, Tensor]]:
        """The batches of a pool; the one that follows is drawn from now on, all others are dropped."""
        if self._drawer is None:  # not before, so that what holds this can be sent to another process
            self._drawer = ThreadPoolExecutor(1, "draws-batches")
        names = [wanted] if following is None else [wanted, following]
        self._pools = {name: self._pools.get(name) or self._drawer.submit(self._draw, *name) for name in names}
        return self._pools[wanted].result()


class Batches(Dataset[dict[str, Tensor]]):
    """All batches of a run in order; while those of a pool are learned from, a thread draws the next pool.

    Args:
        stages: what comes after what.
        prompts: turns conversations into tokens.
        batch_tokens: tokens of a batch, about.
        most_tokens: longer conversations are left out.
        seed: of the order within a pool.
    """

    def __init__(self, stages: Sequence[Stage], prompts: Prompts, batch_tokens: int, most_tokens: int, seed: int):
        self.stages, self.prompts, self.seed = stages, prompts, seed
        self.batch_tokens, self.most_tokens = batch_tokens, most_tokens
        self._pools = DrawnAhead(self._drawn)

    def __len__(self) -> int:
        return sum(part.batches for part in self.stages)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """Batch `number`: `tokens`, `labels`, `attention_mask`, each [B, L]."""
        if number >= len(self):
            raise IndexError(number)
        place = 0
        while number >= self.stages[place].batches:
            number -= self.stages[place].batches
            place += 1
        wanted = place, number // POOL
        return self._pools.get(wanted, self._after(*wanted))[number % POOL]

    def _after(self, place: int, pool: int) -> tuple[int, int] | None:
        """The pool that comes next, if any does."""
        if (pool + 1) * POOL < self.stages[place].batches:
            return place, pool + 1
        return (place + 1, 0) if place + 1 < len(self.stages) else None

    def _drawn(self, place: int, pool: int) -> list[dict[str, Tensor]]:
        """The batches of a pool, in random order."""
        found: list[Example] = []
        tokens, number = 0, 0
        examples = self.stages[place].examples
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
    # In order of length, each of the POOL batches ends (|) where its share of tokens is reached, but leaves one item
    # to itself and to each that follows: the n-th end lies in [n, items - (POOL - n)], behind the one before.
    #     a b c d | e f g | h i | j k | l
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
