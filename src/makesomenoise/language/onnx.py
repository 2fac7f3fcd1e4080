"""Runs an LLM by ONNX Runtime, from a folder in 8 bits; keys and values are written where they stay."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from makesomenoise.engine.graph import StoredTensor, stored_tensors
from makesomenoise.engine.onnx import Binding, OnnxSession
from makesomenoise.language import graphs
from makesomenoise.language.graphs import DecoderConfig
from makesomenoise.language.quantized import SIZES_FILE, WEIGHTS_FILE, from_blocks

_TOKENS, _ROWS = 256, 8  # memory of a state grows by so much
_UNSEEN = np.float32(-np.inf)


class OnnxState:
    """A `LanguageState`; what lies behind the length of a row, and behind the rows, is no part of it.

    Attributes:
        memory: keys and values [layers, 2, P, G, C, D] of C tokens in P rows at most.
        lengths: [R] tokens that were read of each row.
        binding: of the session to the memory of the rows; none until it is first needed.
    """

    def __init__(self, memory: np.ndarray, lengths: np.ndarray):
        self.memory, self.lengths = memory, lengths
        self.binding: Binding | None = None

    def chosen(self, rows: Sequence[int]) -> Self:
        """See `LanguageState`."""
        lengths = self.lengths.take(rows)
        known = int(lengths.max())
        return type(self)(np.ascontiguousarray(self.memory[:, :, list(rows), :, :known]), lengths)

    def crop(self, length: int) -> None:
        """See `LanguageState`."""
        self.lengths = np.minimum(self.lengths, length)

    def join(self, other: Self) -> None:
        """See `LanguageState`."""
        own, more, longest = len(self.lengths), len(other.lengths), int(other.lengths.max())
        self.make_room(max(longest, int(self.lengths.max(initial=0))), own + more)
        self.memory[:, :, own : own + more, :, :longest] = other.memory[:, :, :more, :, :longest]
        self.lengths, self.binding = np.concatenate((self.lengths, other.lengths)), None

    def keep(self, rows: Sequence[int]) -> None:
        """See `LanguageState`."""
        moved = [(place, row) for place, row in enumerate(rows) if place != row]
        lengths = self.lengths.take(rows)
        if moved:
            places, sources = zip(*moved, strict=True)
            known = int(lengths.max())
            self.memory[:, :, places, :, :known] = self.memory[:, :, sources, :, :known]
        self.lengths, self.binding = lengths, None

    def make_room(self, tokens: int, rows: int) -> None:
        """Grows the memory, if it has no room for so many tokens in so many rows."""
        layers, two, most_rows, heads, most_tokens, dim = self.memory.shape
        if tokens <= most_tokens and rows <= most_rows:
            return
        most_tokens = max(most_tokens, -(-tokens // _TOKENS) * _TOKENS)
        most_rows = most_rows if rows <= most_rows else rows if rows == 1 else -(-rows // _ROWS) * _ROWS
        # What nobody has written to takes no memory of the machine.
        grown = np.zeros((layers, two, most_rows, heads, most_tokens, dim), np.float32)
        own, known = len(self.lengths), int(self.lengths.max(initial=0))
        grown[:, :, :own, :, :known] = self.memory[:, :, :own, :, :known]
        self.memory, self.binding = grown, None


class OnnxLanguage:
    """A `LanguageEngine` on a folder that `quantized` has made.

    Args:
        folder: the folder.
        threads: see `OnnxSession`.

    Raises:
        GraphError: if its weights cannot be read.
        ConfigError: if its sizes cannot be read.
        EngineError: if the installed ONNX Runtime cannot load the network, before anything is asked.
    """

    device = "cpu"

    def __init__(self, folder: Path, threads: int | None = None):
        self._folder, self._threads = folder, threads
        self._sizes = DecoderConfig.from_yaml(folder / SIZES_FILE)
        self._weights = stored_tensors(folder / WEIGHTS_FILE)
        self._decoder = OnnxSession(graphs.decoder_graph(self._sizes, self._weights), folder, threads)
        self._text = [self._mapped(f"text.{part}") for part in ("steps", "scales")]
        self._audio = self._mapped("audio.weight")

    def begin(self, rows: int) -> OnnxState:
        """See `LanguageEngine`."""
        sizes = self._sizes
        memory = np.zeros((sizes.layers, 2, rows, sizes.kv_heads, 0, sizes.head_dim), np.float32)
        return OnnxState(memory, np.zeros(rows, np.int64))

    def read(self, state: OnnxState, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """See `LanguageEngine`."""
        counts = np.array([len(row) for row in tokens])
        # Padding comes after what counts, which therefore never sees it, and what is read next takes its place.
        padded = np.array([[*row, *[0] * (counts.max() - len(row))] for row in tokens])
        positions = state.lengths[:, None] + np.arange(counts.max())
        hidden = self._run(state, padded, positions, state.lengths + counts)
        state.lengths = state.lengths + counts
        return hidden[np.arange(len(counts)), counts - 1]

    def read_branches(self, state: OnnxState, branches: Sequence[Sequence[int]]) -> np.ndarray:
        """See `LanguageEngine`."""
        tokens = [token for branch in branches for token in branch]
        if not tokens:
            return np.empty((0, self._sizes.hidden), np.float32)
        known = int(state.lengths[0])
        # All ways lie one after the other, each at the places that it would have alone, and see only themselves.
        way = np.concatenate([np.full(len(branch), number) for number, branch in enumerate(branches)])
        positions = np.concatenate([known + np.arange(len(branch)) for branch in branches])
        bias = np.zeros((1, 1, len(tokens), known + len(tokens)), np.float32)
        bias[0, 0, :, known:][way[:, None] != way] = _UNSEEN
        return self._run(state, np.array([tokens]), positions[None], np.array([known + len(tokens)]), bias)[0]

    def text_scores(self, hidden: np.ndarray) -> np.ndarray:
        """See `LanguageEngine`."""
        return self._text_scores({"hidden": hidden})[0]

    def audio_scores(self, hidden: np.ndarray) -> np.ndarray:
        """See `LanguageEngine`."""
        return self._audio_scores({"hidden": hidden})[0]

    def _run(
        self,
        state: OnnxState,
        tokens: np.ndarray,
        positions: np.ndarray,
        ends: np.ndarray,
        bias: np.ndarray | None = None,
    ) -> np.ndarray:
        """Tokens [R, S] at their positions [R, S] to hidden vectors [R, S, H]; `ends` [R] are lengths after them."""
        total = int((state.lengths + tokens.shape[1]).max())
        state.make_room(total, len(tokens))
        if state.binding is None:
            state.binding = self._bound(state.memory[:, :, : len(tokens)])
        inputs = {
            "vectors": self._vectors(tokens),
            "positions": positions,
            "last": (ends - 1).astype(np.int32),
            "total": np.array(total, np.int32),
            "bias": np.zeros((1, 1, tokens.shape[1], total), np.float32) if bias is None else bias,
        }
        return state.binding(inputs)

    def _bound(self, memory: np.ndarray) -> Binding:
        parts = {f"{kind}.{n}": layer[i] for n, layer in enumerate(memory) for i, kind in enumerate(("keys", "values"))}
        return self._decoder.bind(parts, {f"new_{name}": part for name, part in parts.items()})

    def _vectors(self, tokens: np.ndarray) -> np.ndarray:
        """Rows [R, S, H] that tokens are read by."""
        text, flat = len(self._text[0]), tokens.ravel()
        rows = np.empty((flat.size, self._sizes.hidden), np.float32)
        audio = flat >= text
        rows[audio] = self._audio[flat[audio] - text]
        rows[~audio] = from_blocks(*(part[flat[~audio]] for part in self._text))
        return rows.reshape(*tokens.shape, -1)

    def _mapped(self, name: str) -> np.ndarray:
        stored: StoredTensor = self._weights[name]
        path = self._folder / stored.data.location
        return np.memmap(path, stored.dtype, "r", stored.data.offset, stored.shape)

    @cached_property
    def _text_scores(self) -> OnnxSession:
        return OnnxSession(graphs.scores_graph("text", self._weights), self._folder, self._threads)

    @cached_property
    def _audio_scores(self) -> OnnxSession:
        return OnnxSession(graphs.scores_graph("audio", self._weights), self._folder, self._threads)
