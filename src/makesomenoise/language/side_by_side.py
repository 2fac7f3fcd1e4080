"""Answers to many questions, drawn side by side: texts and sounds, each with a seed of its own, which may come and go.

A step reads the weights once for all of them, which is what a step costs on a CPU. What is drawn for one does not
depend on the others: each has its own source of randomness, and padding is masked.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import check_fits
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.sampling import Sampling, draw, seeded
from makesomenoise.language.speaker import Speaker


@dataclass(frozen=True)
class WantedText:
    """An answer of text, in which sounds may come.

    Attributes:
        prompt: tokens up to where the assistant is to speak.
        most: the most tokens; a sound that is open then is closed with one more.
        sampling: how text is drawn; guidance is not used.
        seed: the same seed gives the same answer.
        sounds: how codes are drawn, where sounds may come.
    """

    prompt: Sequence[int]
    most: int
    sampling: Sampling
    seed: int = 0
    sounds: Sampling | None = None


@dataclass(frozen=True)
class WantedCodes:
    """Sounds of an exact number of codes.

    Attributes:
        prompt: tokens up to where the assistant is to speak.
        unconditional: the same without what was asked for; used where guidance is not 1.
        count: number of codes of each.
        sampling: how they are drawn.
        seed: the same seed gives the same sounds.
        candidates: number of sounds.
    """

    prompt: Sequence[int]
    unconditional: Sequence[int]
    count: int
    sampling: Sampling
    seed: int = 0
    candidates: int = 1


class Drawing(Iterator[list[int]]):
    """What is drawn for one request, step by step, as it is asked for.

    Attributes:
        rows: how many rows of the batch it takes.
        ended: whether the answer came to its own end, not to the most tokens it may have.
    """

    rows: int
    ended = False

    def __init__(self, owner: "SideBySide", prompts: list[list[int]], seed: int):
        self.prompts, self.rows = prompts, len(prompts)
        self.generator, self.finished = seeded(seed), False
        self.drawn: deque[list[int]] = deque()
        self._owner = owner

    def __next__(self) -> list[int]:
        """Tokens of a text, as a list of one, or a code of each candidate [C]."""
        while not self.drawn:
            if self.finished:
                raise StopIteration
            self._owner.step()
        return self.drawn.popleft()

    def close(self) -> None:
        """Gives its rows to others; what was drawn and not asked for is lost."""
        self._owner.remove(self)

    def take(self, scores: Tensor) -> list[int]:
        """Draws the next tokens [rows] from their scores [rows, V], or [rows, K] where only codes may come."""
        raise NotImplementedError


class _Text(Drawing):
    def __init__(self, owner: "SideBySide", model: LanguageModel, wanted: WantedText):
        check_fits(model, len(wanted.prompt) + wanted.most + 1)
        super().__init__(owner, [list(wanted.prompt)], wanted.seed)
        self._model, self._wanted, self._left = model, wanted, wanted.most
        self._within, self._last = False, -1
        self._outside = _forbidden(model, wanted.sounds is not None)
        self._inside = _forbidden(model, within=True)

    def take(self, scores: Tensor) -> list[int]:
        spell, wanted = self._model.vocabulary, self._wanted
        scores = scores.masked_fill(self._inside if self._within else self._outside, -torch.inf)
        if self._last == spell.start:
            scores[:, spell.end] = -torch.inf
        how = wanted.sounds if self._within and wanted.sounds else wanted.sampling
        self._last, self._left = int(draw(scores.cpu().numpy(), how, self.generator)[0]), self._left - 1
        if self._last == self._model.prompts.end_of_turn:
            self.ended = self.finished = True
            return [self._last]
        self._within = self._last == spell.start or (self._within and self._last != spell.end)
        self.drawn.append([self._last])
        self.finished = not self._left
        if self.finished and self._within:
            self.drawn.append([spell.end])
        return [self._last]


class _Codes(Drawing):
    def __init__(self, owner: "SideBySide", model: LanguageModel, wanted: WantedCodes):
        branches = [wanted.prompt, wanted.unconditional] if wanted.sampling.guidance != 1.0 else [wanted.prompt]
        check_fits(model, max(map(len, branches)) + 1 + wanted.count)
        prompts = [[*branch, model.vocabulary.start] for branch in branches for _ in range(wanted.candidates)]
        super().__init__(owner, prompts, wanted.seed)
        self._model, self._wanted, self._left, self.ended = model, wanted, wanted.count, True

    def take(self, scores: Tensor) -> list[int]:
        sampling = self._wanted.sampling
        if sampling.guidance != 1.0:
            asked, free = scores.log_softmax(-1).chunk(2)
            scores = free + sampling.guidance * (asked - free)
        codes = torch.from_numpy(draw(scores.cpu().numpy(), sampling, self.generator))
        self.drawn.append(codes.tolist())
        self._left -= 1
        self.finished = not self._left
        return (self._model.vocabulary.first + codes).repeat(self.rows // len(codes)).tolist()


class SideBySide:
    """The batch in which requests are answered.

    Args:
        model: answers; in torch.

    Raises:
        LanguageError: if the model is loaded for another engine.
    """

    def __init__(self, model: Speaker):
        if not isinstance(model, LanguageModel):
            raise LanguageError("Answers are drawn side by side in torch alone: load the model with the engine torch.")
        self._model = model
        self._drawings: list[Drawing] = []
        self._new: list[Drawing] = []
        self._batch: _Batch | None = None

    @property
    def rows(self) -> int:
        """How many rows are taken."""
        return sum(drawing.rows for drawing in (*self._drawings, *self._new))

    def add(self, wanted: WantedText | WantedCodes) -> Drawing:
        """Begins to answer a request with the next step.

        Raises:
            LanguageError: if the context is too short.
        """
        kind = _Text if isinstance(wanted, WantedText) else _Codes
        self._new.append(kind(self, self._model, wanted))  # pyright: ignore[reportArgumentType]
        return self._new[-1]

    def remove(self, drawing: Drawing) -> None:
        """Draws no more for a request."""
        drawing.finished = True
        drawing.drawn.clear()
        if drawing in self._new:
            self._new.remove(drawing)
        self._leave({drawing})

    @torch.inference_mode()
    def step(self) -> None:
        """Draws once for every request."""
        parts = [self._batch] if self._batch is not None else []
        hidden = [batch.read(self._model) for batch in parts]
        if self._new:
            begun = _Batch.begin(self._model, [prompt for drawing in self._new for prompt in drawing.prompts])
            hidden.append(begun.read(self._model))
            parts.append(begun)
            self._drawings += self._new
            self._new = []
        drawn = self._drawn(torch.cat(hidden))
        self._batch = _Batch.joined(parts) if len(parts) > 1 else parts[0]
        self._batch.append(torch.tensor(drawn, device=hidden[0].device))
        self._leave({drawing for drawing in self._drawings if drawing.finished})

    def _drawn(self, hidden: Tensor) -> list[int]:
        """The next token of each row, from what the model made of all of them [R, H]."""
        kinds = torch.tensor([isinstance(drawing, _Codes) for drawing in self._drawings for _ in range(drawing.rows)])
        text, codes = self._model.logits(hidden[~kinds]).float(), self._code_scores(hidden[kinds])
        drawn: list[int] = []
        for drawing in self._drawings:
            if isinstance(drawing, _Codes):
                own, codes = codes[: drawing.rows], codes[drawing.rows :]
            else:
                own, text = text[: drawing.rows], text[drawing.rows :]
            drawn += drawing.take(own)
        return drawn

    def _code_scores(self, hidden: Tensor) -> Tensor:
        """Scores [R, K] of the codes alone, which cost much less than those of the whole vocabulary."""
        table = self._model.output_rows[: self._model.vocabulary.codebook_size]
        return F.linear(hidden, table.to(hidden.dtype)).float()

    def _leave(self, leaving: set[Drawing]) -> None:
        if not leaving & set(self._drawings):
            return
        kept, first = [], 0
        for drawing in self._drawings:
            kept += [] if drawing in leaving else range(first, first + drawing.rows)
            first += drawing.rows
        self._drawings = [drawing for drawing in self._drawings if drawing not in leaving]
        if self._batch is not None:
            self._batch = self._batch.chosen(kept) if kept else None


@dataclass
class _Batch:
    """Rows of tokens that are read together, padded on their left.

    Attributes:
        tokens: [R, n] that are not read yet.
        mask: [R, past + n] 1 where there is a token.
        positions: [R, n] of the tokens.
        cache: keys and values of what was read.
    """

    tokens: Tensor
    mask: Tensor
    positions: Tensor
    cache: DynamicCache

    @classmethod
    def begin(cls, model: LanguageModel, rows: Sequence[Sequence[int]]) -> "_Batch":
        longest, device = max(map(len, rows)), model.rows.device
        tokens = torch.tensor([[*[0] * (longest - len(row)), *row] for row in rows], device=device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
        return cls(tokens, mask, (mask.cumsum(1) - 1).clamp_min(0), DynamicCache())

    @classmethod
    def joined(cls, parts: Sequence["_Batch"]) -> "_Batch":
        """Several batches, of which all was read, as one."""
        longest = max(part.mask.shape[1] for part in parts)
        mask = torch.cat([F.pad(part.mask, (longest - part.mask.shape[1], 0)) for part in parts])
        cache = DynamicCache()
        for number in range(len(parts[0].cache.layers)):
            found: list[Any] = [part.cache.layers[number] for part in parts]
            keys, values = (
                torch.cat([F.pad(kept, (0, 0, longest - kept.shape[-2], 0)) for kept in each])
                for each in ([layer.keys for layer in found], [layer.values for layer in found])
            )
            cache.update(keys, values, number)
        ones = torch.ones(len(mask), 1, dtype=mask.dtype, device=mask.device)
        return cls(ones, mask, torch.cat([part.positions[:, -1:] for part in parts]), cache)

    def read(self, model: LanguageModel) -> Tensor:
        """What the model makes of the last token of each row [R, H]."""
        return model.hidden(self.tokens, self.mask, self.cache, self.positions)[:, -1]

    def append(self, tokens: Tensor) -> None:
        """Adds a token to each row, [R]."""
        self.tokens, self.mask = tokens[:, None], F.pad(self.mask, (0, 1), value=1)
        self.positions = self.positions[:, -1:] + 1

    def chosen(self, rows: list[int]) -> "_Batch":
        """Some of the rows, without the padding that all of them have."""
        mask = self.mask[rows]
        padding = int(mask.argmax(1).min())
        cache = DynamicCache()
        layers: list[Any] = self.cache.layers
        for number, layer in enumerate(layers):
            keys, values = (kept[rows][:, :, padding:] for kept in (layer.keys, layer.values))
            cache.update(keys, values, number)
        return _Batch(self.tokens[rows], mask[:, padding:], self.positions[rows], cache)


def _forbidden(model: LanguageModel, sounds: bool = False, within: bool = False) -> Tensor:
    """Tokens that may not come, as booleans [V]: in text codes and what begins turns, within a sound all text."""
    spell = model.vocabulary
    barred = torch.full((model.causal.config.get_text_config().vocab_size,), within)
    barred[spell.first : spell.end + 1] = not within
    barred[spell.end + 1 :] = True  # rows that some bases have for no token at all
    if within:
        barred[spell.start] = True
    else:
        barred[[t for t in spell.text_tokenizer.all_special_ids if t != model.prompts.end_of_turn]] = True
        barred[spell.start] = not sounds
    return barred.to(model.rows.device)
