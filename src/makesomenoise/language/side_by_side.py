"""Answers to many questions, drawn side by side: texts and sounds, each with a seed of its own, which may come and go.

A step reads the weights once for all of them, which is most of what a step costs. What is drawn for one is what
`generation` draws for it alone: each has its own source of randomness, and no row sees another.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makesomenoise.language.generation import check_fits, code_scores, sound_scores, text_scores
from makesomenoise.language.prefix_cache import PrefixCache
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
        prompts: what is read before, one for each row that it takes.
        places: of its rows in the batch, once they are in it.
        draws_text: whether what is drawn next may be text.
        ended: whether the answer came to its own end, not to the most tokens it may have.
    """

    draws_text = ended = False

    def __init__(self, owner: "SideBySide", prompts: list[tuple[int, ...]], seed: int):
        self.prompts, self.places = prompts, [-1] * len(prompts)
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

    def take(self, hidden: np.ndarray, text: np.ndarray | None) -> list[int]:
        """Draws the next tokens of its rows.

        Args:
            hidden: [rows, H] what came of their last tokens.
            text: [1, V] scores of the tokens of text, where it may draw one.
        """
        raise NotImplementedError


class _Text(Drawing):
    def __init__(self, owner: "SideBySide", model: Speaker, wanted: WantedText):
        check_fits(model, len(wanted.prompt) + wanted.most + 1)
        super().__init__(owner, [tuple(wanted.prompt)], wanted.seed)
        self._model, self._wanted, self._left = model, wanted, wanted.most
        self.draws_text, self._last = True, -1

    def take(self, hidden: np.ndarray, text: np.ndarray | None) -> list[int]:
        spell, wanted, model = self._model.vocabulary, self._wanted, self._model
        if text is None:
            scores = sound_scores(model, hidden, may_end=self._last != spell.start)
            self._last = spell.first + int(draw(scores, wanted.sounds or wanted.sampling, self.generator)[0])
        else:
            scores = text_scores(model, hidden, wanted.sounds is not None, text)
            self._last = int(draw(scores, wanted.sampling, self.generator)[0])
        self._left -= 1
        if self._last == model.prompts.end_of_turn:
            self.ended = self.finished = True
            return [self._last]
        self.draws_text = self._last != spell.start and (self.draws_text or self._last == spell.end)
        self.drawn.append([self._last])
        self.finished = not self._left
        if self.finished and not self.draws_text:
            self.drawn.append([spell.end])
        return [self._last]


class _Codes(Drawing):
    def __init__(self, owner: "SideBySide", model: Speaker, wanted: WantedCodes):
        branches = [wanted.prompt, wanted.unconditional] if wanted.sampling.guidance != 1.0 else [wanted.prompt]
        check_fits(model, max(map(len, branches)) + 1 + wanted.count)
        prompts = [(*branch, model.vocabulary.start) for branch in branches for _ in range(wanted.candidates)]
        super().__init__(owner, prompts, wanted.seed)
        self._model, self._wanted, self._left, self.ended = model, wanted, wanted.count, True

    def take(self, hidden: np.ndarray, text: np.ndarray | None) -> list[int]:  # noqa: ARG002 - draws none
        sampling = self._wanted.sampling
        codes = draw(code_scores(self._model, hidden, sampling.guidance), sampling, self.generator).tolist()
        self.drawn.append(codes)
        self._left -= 1
        self.finished = not self._left
        return self._model.vocabulary.to_tokens(codes) * (len(self.prompts) // len(codes))


class SideBySide:
    """The batch in which requests are answered.

    Args:
        model: answers.

    Attributes:
        prompts: what was read before answers, for all that asks the same model.
    """

    def __init__(self, model: Speaker):
        self._model, self._engine = model, model.engine
        self._drawings: list[Drawing] = []
        self._new: list[Drawing] = []
        self.prompts = PrefixCache(self._engine)
        self._state: Any = self._engine.begin(0)
        self._unread: list[list[int]] = []  # the last token of the row at each place

    @property
    def rows(self) -> int:
        """How many rows are taken."""
        return len(self._unread) + sum(len(drawing.prompts) for drawing in self._new)

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
        self._leave()

    def step(self) -> None:
        """Draws once for every request."""
        old = [self._engine.read(self._state, self._unread)] if self._unread else []
        hidden = np.concatenate([*old, *self._begin()])
        texts = [place for drawing in self._drawings if drawing.draws_text for place in drawing.places]
        scores = iter(self._engine.text_scores(hidden[texts]) if texts else ())
        for drawing in self._drawings:
            text = next(scores)[None] if drawing.draws_text else None  # it has one row
            for place, token in zip(drawing.places, drawing.take(hidden[drawing.places], text), strict=True):
                self._unread[place] = [token]
        self._leave()

    def _begin(self) -> list[np.ndarray]:
        """Reads the prompts of new requests, equal ones once: what comes of the last token of each of their rows."""
        wanting: dict[tuple[int, ...], list[tuple[Drawing, int]]] = {}
        for drawing in self._new:
            for number, prompt in enumerate(drawing.prompts):
                wanting.setdefault(prompt, []).append((drawing, number))
        # One by one: together, each would cost as much as the longest.
        read = [self.prompts.read(prompt) for prompt in wanting]
        for one, rows in zip(read, wanting.values(), strict=True):
            self._state.join(one.state if len(rows) == 1 else one.state.chosen([0] * len(rows)))
            for drawing, number in rows:
                drawing.places[number] = len(self._unread)
                self._unread.append([])
        self._drawings, self._new = [*self._drawings, *self._new], []
        return [one.hidden.repeat(len(rows), axis=0) for one, rows in zip(read, wanting.values(), strict=True)]

    def _leave(self) -> None:
        """Gives the places of what is finished to the rows behind them."""
        self._drawings = [drawing for drawing in self._drawings if not drawing.finished]
        taken = sorted(place for drawing in self._drawings for place in drawing.places)
        if len(taken) == len(self._unread):
            return
        kept = range(len(taken))
        moved = dict(zip(taken[::-1], sorted(set(kept) - set(taken)), strict=False))  # the last to where one is free
        for drawing in self._drawings:
            drawing.places = [moved.get(place, place) for place in drawing.places]
        came_from = {new: old for old, new in moved.items()}
        rows = [came_from.get(place, place) for place in kept]
        self._unread = [self._unread[row] for row in rows]
        if rows:
            self._state.keep(rows)
        else:
            self._state = self._engine.begin(0)
