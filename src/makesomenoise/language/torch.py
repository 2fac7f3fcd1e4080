"""Runs an LLM in torch, on any device: whatever causal LM transformers has."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from makesomenoise.language.vocabulary import AudioVocabulary

_AT_ONCE = 64


class Network(Protocol):
    """What is run: `LanguageModel`, which knows its engine."""

    vocabulary: AudioVocabulary

    @property
    def rows(self) -> Tensor:
        """See `LanguageModel`."""
        ...

    @property
    def output_rows(self) -> Tensor:
        """See `LanguageModel`."""
        ...

    @property
    def output_text_rows(self) -> Tensor:
        """See `LanguageModel`."""
        ...

    def hidden(
        self,
        tokens: Tensor,
        attention_mask: Tensor | None = None,
        cache: DynamicCache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """See `LanguageModel`."""
        ...


class TorchState:
    """A `LanguageState`, padded on the left.

    Attributes:
        cache: keys and values.
        mask: [R, n] 1 where there is a token, 0 where there is padding.
    """

    def __init__(self, cache: DynamicCache, mask: Tensor):
        self.cache, self.mask = cache, mask

    def chosen(self, rows: Sequence[int]) -> Self:
        """See `LanguageState`."""
        cache = copy.deepcopy(self.cache)
        cache.batch_select_indices(torch.tensor(list(rows), device=self.mask.device))
        return type(self)(cache, self.mask[list(rows)])

    def crop(self, length: int) -> None:
        """See `LanguageState`."""
        if self.mask.shape[1] > length:
            self.cache.crop(length - self.mask.shape[1])
            self.mask = self.mask[:, :length]

    def join(self, other: Self) -> None:
        """See `LanguageState`."""
        if not len(self.mask):
            self.cache, self.mask = _cache(_kept(other.cache)), other.mask
            return
        longest = max(self.mask.shape[1], other.mask.shape[1])

        def joined(own: Tensor, more: Tensor) -> Tensor:
            return torch.cat([F.pad(part, (0, 0, longest - part.shape[-2], 0)) for part in (own, more)])

        layers = zip(_kept(self.cache), _kept(other.cache), strict=True)
        self.cache = _cache((joined(own[0], more[0]), joined(own[1], more[1])) for own, more in layers)
        self.mask = torch.cat([F.pad(part, (longest - part.shape[1], 0)) for part in (self.mask, other.mask)])

    def keep(self, rows: Sequence[int]) -> None:
        """See `LanguageState`; what is left loses the padding that all of it has."""
        chosen = list(rows)
        padding = int(self.mask[chosen].argmax(1).min())
        self.mask = self.mask[chosen, padding:]
        self.cache = _cache(
            (keys[chosen, :, padding:], values[chosen, :, padding:]) for keys, values in _kept(self.cache)
        )


class TorchLanguage:
    """A `LanguageEngine` around a language model.

    Args:
        model: the network.
    """

    def __init__(self, model: Network):
        self._model = model

    @property
    def device(self) -> str:
        """See `LanguageEngine`."""
        return str(self._model.rows.device)

    def begin(self, rows: int) -> TorchState:
        """See `LanguageEngine`."""
        return TorchState(DynamicCache(), torch.ones(rows, 0, dtype=torch.long, device=self.device))

    @torch.inference_mode()
    def read(self, state: TorchState, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """See `LanguageEngine`."""
        longest = max(map(len, tokens))
        padded = torch.tensor([[*[0] * (longest - len(row)), *row] for row in tokens], device=self.device)
        real = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in tokens], device=self.device)
        state.mask = torch.cat((state.mask, real), dim=1)
        positions = (state.mask.cumsum(1) - 1).clamp_min(0)[:, -longest:]
        mask = None if bool(state.mask.all()) else state.mask
        return _array(self._model.hidden(padded, mask, state.cache, positions)[:, -1])

    @torch.inference_mode()
    def read_branches(self, state: TorchState, branches: Sequence[Sequence[int]]) -> np.ndarray:
        """See `LanguageEngine`."""
        parts = [branches[start : start + _AT_ONCE] for start in range(0, len(branches), _AT_ONCE)]
        return np.concatenate([self._branches(state, part) for part in parts])

    @torch.inference_mode()
    def text_scores(self, hidden: np.ndarray) -> np.ndarray:
        """See `LanguageEngine`."""
        first = self._model.vocabulary.first
        return self._scores(hidden, self._model.output_text_rows[:first])

    @torch.inference_mode()
    def audio_scores(self, hidden: np.ndarray) -> np.ndarray:
        """See `LanguageEngine`."""
        return self._scores(hidden, self._model.output_rows)

    def _branches(self, state: TorchState, branches: Sequence[Sequence[int]]) -> np.ndarray:
        longest = max(map(len, branches))
        # Padding comes after what counts, which therefore never sees it.
        tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in branches], device=self.device)
        cache = copy.deepcopy(state.cache)
        cache.batch_repeat_interleave(len(branches))
        real = torch.tensor([[place < len(row) for place in range(longest)] for row in branches], dtype=torch.bool)
        if not longest:
            return np.empty((0, self._model.rows.shape[1]), np.float32)
        return _array(self._model.hidden(tokens, cache=cache)[real.to(self.device)])

    def _scores(self, hidden: np.ndarray, rows: Tensor) -> np.ndarray:
        given = torch.from_numpy(np.ascontiguousarray(hidden)).to(rows)
        return _array(F.linear(given, rows))


def _kept(cache: DynamicCache) -> Iterator[tuple[Tensor, Tensor]]:
    """Keys and values of each layer."""
    layers: list[Any] = cache.layers
    return ((layer.keys, layer.values) for layer in layers)


def _cache(kept: Iterable[tuple[Tensor, Tensor]]) -> DynamicCache:
    cache = DynamicCache()
    for number, (keys, values) in enumerate(kept):
        cache.update(keys, values, number)
    return cache


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
