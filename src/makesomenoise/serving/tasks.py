"""What requests ask of the model about one sound or its codes: names, what is heard when, codes out and in.

Jobs in the form that `jobs` explains.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from makesomenoise.errors import RequestError
from makesomenoise.language import listening, naming, wording
from makesomenoise.language.listening import LONGEST_ANSWER, Answered, prompt_about, windows
from makesomenoise.language.naming import Ranked
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import GREEDY
from makesomenoise.language.side_by_side import Drawing, SideBySide, WantedText
from makesomenoise.language.speech import Speech
from makesomenoise.pipeline import AS_CODED, AudioLanguageModel, Generation
from makesomenoise.serving.jobs import Ended, Steps, close, read_of

_WINDOWS_AT_ONCE = 8


@dataclass(frozen=True)
class Classify:
    """Names for a sound, the likeliest first: yields them as a list.

    Attributes:
        sound: a waveform [S].
        labels: to choose from.
        window: length of the windows that are named one by one, seconds.
        prior: how much of what is said without a sound is subtracted.
    """

    sound: np.ndarray
    labels: tuple[str, ...]
    window: float | None = None
    prior: float = naming.PRIOR

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Iterator[list[Ranked] | None]:
        """Ranks the names; other requests about the same sound may have read it already."""
        namer = model.namer(self.labels, self.prior)
        heard = model.hear(self.sound)
        yield None
        yield namer.rank(heard, self.window, known=batch.prompts)


@dataclass(frozen=True)
class Listen:
    """What is heard when: yields the answer about each window.

    Attributes:
        sound: a waveform [S] of any length.
        window: length of the windows, seconds.
        question: about each.
    """

    sound: np.ndarray
    window: float
    question: str = wording.CAPTION

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Steps:
        """Answers about each window, several at once."""
        heard = model.hear(self.sound)
        yield None
        pieces = windows(heard, self.window, model.language.config.code_rate)
        prompts = [prompt_about(model.language, self.question, piece.sound) for piece in pieces]
        yield read_of(model, [token for prompt in prompts for token in prompt])
        for first in range(0, len(pieces), _WINDOWS_AT_ONCE):
            chosen = range(first, min(first + _WINDOWS_AT_ONCE, len(pieces)))
            drawings = [batch.add(WantedText(prompts[n], LONGEST_ANSWER, GREEDY)) for n in chosen]
            try:
                yield None  # as in `interleaved`
                for number, drawing in zip(chosen, drawings, strict=True):
                    yield from window_answer(model, pieces[number], drawing)
            finally:
                close(drawings)


def window_answer(model: AudioLanguageModel, piece: listening.Window, drawing: Drawing) -> Steps:
    """The answer about a window, when all of it is drawn."""
    tokens: list[int] = []
    for drawn in drawing:
        tokens += drawn
        yield None
    speech = Speech(model.language.vocabulary)
    parts = [part for token in tokens for part in speech.after(token)] + list(speech.rest())
    text = "".join(part for part in parts if isinstance(part, str)).strip()
    yield Ended(0, drawing.ended, len(tokens), 0)
    yield Answered(piece.start, piece.end, text)


@dataclass(frozen=True)
class Tokenize:
    """The codes of a sound: yields them.

    Attributes:
        sound: a waveform [S].
    """

    sound: np.ndarray

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Iterator[Sound]:  # noqa: ARG002 - draws nothing
        """Encodes it."""
        yield model.hear(self.sound)


@dataclass(frozen=True)
class Detokenize:
    """The sound of codes: yields its waveform.

    Attributes:
        codes: [N].
        samples: cut it to this length.
        seed: the same seed gives the same sound.
        generation: how they become sound.
    """

    codes: tuple[int, ...]
    samples: int | None = None
    seed: int = 0
    generation: Generation = AS_CODED

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Iterator[np.ndarray]:  # noqa: ARG002 - draws nothing
        """Decodes them."""
        size = model.tokenizer.codebook_size
        wrong = [code for code in self.codes if not 0 <= code < size]
        if wrong or not self.codes:
            what = f"the code {wrong[0]}" if wrong else "none"
            raise RequestError(f"Expected codes in [0, {size}), at least one; got {what}.")
        waveform = model.render(Sound(self.codes), None, self.seed, self.generation)
        yield waveform if self.samples is None else waveform[: self.samples]
