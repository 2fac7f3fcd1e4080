"""`AudioLanguageModel`: sound and text to text and sound. The only place where tokenizer and language meet."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, Union

import numpy as np

from makesomenoise.audio import io, level
from makesomenoise.checkpoint import CheckpointError, resolve
from makesomenoise.errors import RequestError
from makesomenoise.language import listening, naming, wording
from makesomenoise.language.composing import BestBy, Composed, compose
from makesomenoise.language.dialogue import Dialogue
from makesomenoise.language.listening import LONGEST_ANSWER, Answered
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.naming import Ranked
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GENERATING, Sampling
from makesomenoise.tokenizer.decoding import Quality
from makesomenoise.tokenizer.model import AudioTokenizer

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = "language"
Heard = Union[np.ndarray, "Tensor", Sound, str, Path]
Sounds = Union[Sequence[Heard], np.ndarray, "Tensor"]


class PipelineError(RequestError):
    """A request that cannot be answered; the message is one sentence for the user."""


class AudioLanguageModel:
    """One LLM that hears and makes sound.

    A sound that is given is a waveform [S] in [-1, 1] at the tokenizer's sample rate, the name of a sound file, which
    is read in constant memory, or what `hear` made of either. Waveforms [B, S] are B of them.

    Args:
        tokenizer: waveforms to codes and back.
        language: reads and writes the codes.

    Raises:
        PipelineError: if the language model learned the codes of another tokenizer.
    """

    def __init__(self, tokenizer: AudioTokenizer, language: LanguageModel):
        if language.config.codes != tokenizer.fingerprint:
            raise PipelineError(
                f"The language model learned the codes of the tokenizer {language.config.codes}, but the loaded one is "
                f"{tokenizer.fingerprint}: load the tokenizer it was trained with."
            )
        self.tokenizer = tokenizer
        self.language = language

    @classmethod
    def load(
        cls,
        source: str | Path = DEFAULT,
        tokenizer: str | Path = "default",
        vocoder: str | Path = "default",
        device: str = "cpu",
    ) -> Self:
        """Loads a language model and its tokenizer.

        Args:
            source: a model folder, a bundled name or a Hub id.
            tokenizer: see `AudioTokenizer.load`.
            vocoder: see `AudioTokenizer.load`; `griffin-lim` loads soonest where no sound is to be made.
            device: where both compute.

        Raises:
            PipelineError: if they do not belong together, or no default ships.
            CheckpointError: if a model is missing or damaged.
            LanguageError: if the base is missing, or is not the one that the weights were trained with.
        """
        try:
            folder = resolve(source)
        except CheckpointError:
            if source != DEFAULT:
                raise
            raise PipelineError("No trained language model ships yet: name a model folder or a Hub id.") from None
        language = LanguageModel.load_to_answer(folder, device)
        return cls(AudioTokenizer.load(tokenizer, vocoder, device), language)

    def hear(self, sound: Heard) -> Sound:
        """The codes of a sound, which every method takes in its place.

        Raises:
            AudioError: if a file cannot be read.
            PipelineError: if a waveform is not [S], is empty or is not finite.
        """
        if isinstance(sound, Sound):
            return sound
        if isinstance(sound, str | Path):
            chunks = io.stream(sound, self.tokenizer.sample_rate)
        else:
            waveform = np.asarray(sound, np.float32)
            if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
                shape = list(waveform.shape)
                raise PipelineError(f"Expected a finite waveform [S] with S > 0; got one of shape {shape}.")
            chunks = iter([waveform])
        return Sound(tuple(np.concatenate(list(self.tokenizer.stream_encode(chunks))).tolist()))

    def caption(self, sounds: Sounds) -> list[str]:
        """Describes each of the sounds in a sentence; errors are those of `answer`."""
        return self.answer(sounds, wording.CAPTION)

    def answer(self, sounds: Sounds, question: str, most_tokens: int = LONGEST_ANSWER) -> list[str]:
        """Answers a question about each of the sounds, several at once.

        Args:
            sounds: of any lengths.
            question: not empty.
            most_tokens: the longest answer.

        Raises:
            AudioError, PipelineError: as `hear`.
            LanguageError: if the question is empty, or a sound is too long for the context.
        """
        return listening.answers(self.language, self._heard(sounds), question, most_tokens)

    def stream_answer(
        self, sound: Heard, question: str = wording.CAPTION, most_tokens: int = LONGEST_ANSWER
    ) -> Iterator[str]:
        """Answers a question about a sound in pieces of text as they come; errors are those of `answer`."""
        return listening.stream_answer(self.language, self.hear(sound), question, most_tokens)

    def answer_windows(
        self, sound: Heard, window: float, question: str = wording.CAPTION, most_tokens: int = LONGEST_ANSWER
    ) -> Iterator[Answered]:
        """Answers a question about each piece of a sound of any length.

        Args:
            sound: any.
            window: length of each piece, seconds; the last reaches back to it.
            question: not empty.
            most_tokens: the longest answer.

        Yields:
            answers with their times.

        Raises:
            LanguageError: if a window is shorter than a code or too long for the context; and as `answer`.
        """
        return listening.answer_windows(self.language, self.hear(sound), question, window, most_tokens)

    def classify(
        self,
        sounds: Sounds,
        labels: Sequence[str],
        window: float | None = None,
        prior: float = naming.PRIOR,
    ) -> list[list[Ranked]]:
        """Ranks labels for each of the sounds, the likeliest first.

        Args:
            sounds: of any lengths.
            labels: different names.
            window: cut each sound into pieces of so many seconds, and take the mean of their log-probabilities.
            prior: how much of what is said without a sound is subtracted.

        Raises:
            AudioError, PipelineError: as `hear`.
            LanguageError: if there is no label, an empty one, or one twice; or if a sound is too long for the context.
        """
        return naming.classify(self.language, self._heard(sounds), naming.checked_labels(labels), window, prior)

    def compose(
        self,
        text: str,
        seconds: float,
        seed: int = 0,
        sampling: Sampling = GENERATING,
        candidates: int = 1,
        best_by: BestBy | None = None,
    ) -> list[Composed]:
        """Makes sounds from a text, as codes for `render`; arguments and errors are those of `generate`."""
        if 0.0 < seconds * self.tokenizer.sample_rate <= 0.5:  # noqa: PLR2004 - rounds to no sample
            raise PipelineError(f"Cannot make {seconds:g} s of sound: that is less than a sample.")
        return compose(self.language, text, seconds, seed, sampling, candidates, best_by)

    def render(
        self,
        sound: Sound,
        seconds: float | None = None,
        seed: int = 0,
        steps: int | None = None,
        level_db: float | None = None,
        quality: Quality = "fast",
    ) -> np.ndarray:
        """The waveform [S] of codes.

        Args:
            sound: codes.
            seconds: cut it to this length.
            seed: the same seed gives the same waveform.
            steps: see `AudioTokenizer.decode`.
            level_db: make it as loud as this, see `audio.level`; else it is as loud as its codes say.
            quality: see `AudioTokenizer.decode`.
        """
        rate = self.tokenizer.sample_rate
        waveform = self.tokenizer.decode([sound.codes], steps, seed=seed, quality=quality)[0]
        waveform = waveform if seconds is None else waveform[: round(seconds * rate)]
        return waveform if level_db is None else level.levelled(waveform, rate, level_db)

    def generate(  # noqa: PLR0913 - each is a setting of the sound
        self,
        text: str,
        seconds: float,
        seed: int = 0,
        sampling: Sampling = GENERATING,
        candidates: int = 1,
        best_by: BestBy | None = None,
        steps: int | None = None,
        level_db: float | None = level.USUAL_DB,
        *,
        quality: Quality = "fast",
    ) -> np.ndarray:
        """Makes sounds from a text.

        Args:
            text: what is to be heard, not empty.
            seconds: length of each.
            seed: the same seed gives the same sounds.
            sampling: how codes are drawn.
            candidates: number of sounds C.
            best_by: `caption` puts those first in which the model itself best recognises the text.
            steps: see `AudioTokenizer.decode`.
            level_db: how loud they are made, see `audio.level`; none leaves them as soft or loud as they come.
            quality: see `AudioTokenizer.decode`.

        Returns:
            [C, S] waveforms of exactly that length.

        Raises:
            PipelineError: if the length is less than a sample.
            LanguageError: if the text is empty, or the length is not above 0 or does not fit into the context.
        """
        made = self.compose(text, seconds, seed, sampling, candidates, best_by)
        return np.stack([self.render(one.sound, seconds, seed, steps, level_db, quality) for one in made])

    def chat(self, seed: int = 0) -> "Chat":
        """Begins a conversation; the same seed and the same turns give the same replies."""
        return Chat(self, seed)

    def _heard(self, sounds: Sounds) -> list[Sound]:
        if isinstance(sounds, str | Path) or len(getattr(sounds, "shape", (0, 0))) != 2:  # noqa: PLR2004 - [B, S]
            raise PipelineError("Expected several sounds: give a list, or waveforms [B, S].")
        return [self.hear(sound) for sound in sounds]


class Chat:
    """A conversation in which both sides may say text and sounds.

    Args:
        model: the other side.
        seed: the same seed and the same turns give the same replies.
    """

    def __init__(self, model: AudioLanguageModel, seed: int = 0):
        self._model, self._seed = model, seed
        self._dialogue, self._attached = Dialogue(model.language, seed), False

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said so far, sounds as codes."""
        return self._dialogue.turns

    def attach(self, sound: Heard) -> None:
        """Puts a sound before what is said next.

        Raises:
            AudioError: as `AudioLanguageModel.hear`.
            PipelineError: as `AudioLanguageModel.hear`.
            LanguageError: if it is too long for what is left of the context; it is not attached then.
        """
        self._dialogue.attach(self._model.hear(sound))
        self._attached = True

    def say(self, text: str) -> Iterator[str | np.ndarray]:
        """Says something and streams the reply: pieces of text, and waveforms [S] of the sounds that are made.

        Sounds are as loud as those of `AudioLanguageModel.generate`; after one was attached they are as loud as they
        are made, since they may go on with it.

        Raises:
            LanguageError: if the text is empty or the context is full, before the first piece is asked for.
        """
        reply = self._dialogue.say(text)
        made = partial(self._model.render, seed=self._seed, level_db=None if self._attached else level.USUAL_DB)
        return (made(part) if isinstance(part, Sound) else part for part in reply)

    def reset(self) -> None:
        """Forgets all that was said and attached."""
        self._dialogue.reset()
        self._attached = False
