"""`AudioLanguageModel`: sound and text to text and sound. The only place where tokenizer and language meet."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, Union, cast

import numpy as np

from makesomenoise.audio import arrays, io, level
from makesomenoise.audio.joining import Continuation
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.errors import RequestError
from makesomenoise.language import listening, naming, wording
from makesomenoise.language.composing import BestBy, Generated, compose
from makesomenoise.language.dialogue import Dialogue
from makesomenoise.language.events import WINDOW as EVENT_WINDOW
from makesomenoise.language.events import Event, joined
from makesomenoise.language.listening import LONGEST_ANSWER, Answer, Answered
from makesomenoise.language.naming import Namer, Ranked, Ranking, recognised
from makesomenoise.language.orders import continued, sound_order
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GENERATING, Sampling
from makesomenoise.language.speaker import Speaker, load_speaker
from makesomenoise.model_folder import resolve
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.decoding import Quality
from makesomenoise.tokenizer.files import counted, read_codes
from makesomenoise.tokenizer.model import AudioTokenizer

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = "language"
_LEAD_CODES = 48  # heard before what follows, so that the decoder goes on with its texture
Heard = Union[np.ndarray, "Tensor", Sound, str, Path]
Sounds = Union[Sequence[Heard], np.ndarray, "Tensor"]
_NAMERS = 16
Found = TypeVar("Found", Answer, Ranking)


class PipelineError(RequestError):
    """A request that cannot be answered; the message is one sentence for the user."""


@dataclass(frozen=True)
class Generation(Sampling):
    """How sounds are made: how their codes are drawn, as `Sampling`, and how these become sound.

    Attributes:
        guidance: how much the text counts, or the beginning of a sound that goes on; 1 is off.
        steps: see `AudioTokenizer.decode`.
        quality: see `AudioTokenizer.decode`.
        level_db: how loud they are made, see `audio.level`; none leaves them as soft or loud as they come.
    """

    guidance: float = GENERATING.guidance
    steps: int | None = None
    quality: Quality = "fast"
    level_db: float | None = level.USUAL_DB


USUAL = Generation()
AS_CODED = Generation(level_db=None)


class AudioLanguageModel:
    """One LLM that hears and makes sound.

    A sound that is given is a waveform [S] in [-1, 1] at the tokenizer's rate (a tensor or NumPy array), the name of
    a sound file, which is read in constant memory, that of an `.msn` file, or what `hear` made of any. Waveforms
    [B, S] are B of them.

    Args:
        tokenizer: waveforms to codes and back.
        language: reads and writes the codes.

    Raises:
        PipelineError: if the language model learned the codes of another tokenizer.
    """

    def __init__(self, tokenizer: AudioTokenizer, language: Speaker):
        if language.config.tokenizer_fingerprint != tokenizer.fingerprint:
            raise PipelineError(
                f"The language model learned the codes of the tokenizer {language.config.tokenizer_fingerprint}, but "
                f"the loaded one is {tokenizer.fingerprint}: load the tokenizer it was trained with."
            )
        self.tokenizer, self.language = tokenizer, language
        self.namer = lru_cache(_NAMERS)(partial(Namer, language))  # of labels: making one takes as long as a ranking

    @classmethod
    def load(
        cls,
        source: str | Path = DEFAULT,
        tokenizer: str | Path = "default",
        vocoder: str | Path = "default",
        device: str = "cpu",
        engine: str = "auto",
    ) -> Self:
        """Loads a language model and its tokenizer.

        Args:
            source: a model folder, a bundled name or a Hub id.
            tokenizer: see `AudioTokenizer.load`.
            vocoder: see `AudioTokenizer.load`; `griffin-lim` loads soonest where no sound is to be made.
            device: where both compute.
            engine: `onnx` for a CPU, `torch`, or `auto`, which is onnx where it can be.

        Raises:
            PipelineError: if they do not belong together, or no default ships.
            MakeSomeNoiseError: as `load_speaker` and `AudioTokenizer.load`.
        """
        try:
            folder = resolve(source)
        except CheckpointError:
            if source != DEFAULT:
                raise
            raise PipelineError("No trained language model ships yet: name a model folder or a Hub id.") from None
        return cls(AudioTokenizer.load(tokenizer, vocoder, device, engine), load_speaker(folder, device, engine))

    def hear(
        self, sound: Heard, strict: bool = False, sample_rate: int | None = None, report: io.Report | None = None
    ) -> Sound:
        """The codes of a sound, which every method takes in its place.

        Args:
            sound: any.
            strict: refuse a file of which something is missing.
            sample_rate: of a waveform, Hz, if it is not that of the tokenizer.
            report: is told how much of a file was heard, 0 to 1, where it says how long it is.

        Raises:
            AudioError: if a file cannot be read.
            BitstreamError: if an `.msn` file cannot be read, or is of another tokenizer.
            PipelineError: if a waveform is not [S], is empty or is not finite.
        """
        if isinstance(sound, Sound):
            return sound
        if isinstance(sound, str | Path | bytes) or hasattr(sound, "read"):
            if isinstance(sound, str | Path) and bitstream.is_bitstream(sound):
                held = read_codes(self.tokenizer, sound)
                return Sound(tuple(held.codes.tolist()), held.seconds)
            source, rate = cast("io.Source", sound), self.tokenizer.sample_rate
            return self._encoded(io.stream(source, rate, strict=strict, report=report))
        try:
            waveform = arrays.single(sound)
            rate = self.tokenizer.sample_rate if sample_rate is None else sample_rate
            return self._encoded(iter([arrays.at_rate(waveform, rate, self.tokenizer.sample_rate)]))
        except RequestError as error:
            raise PipelineError(str(error)) from None

    def caption(self, sounds: Sounds) -> list[str]:
        """Describes each of the sounds in a sentence; errors are those of `ask`."""
        return self.ask(sounds, wording.CAPTION)

    def ask(self, sounds: Sounds, question: str, most_tokens: int = LONGEST_ANSWER) -> list[str]:
        """Answers a question about each of the sounds, several at once.

        Args:
            sounds: of any lengths.
            question: not empty.
            most_tokens: the longest answer.

        Raises:
            AudioError, BitstreamError, PipelineError: as `hear`.
            LanguageError: if the question is empty, or a sound is too long for the context.
        """
        found = self.ask_each(_several(sounds), question, most_tokens=most_tokens)
        return [_raised(answer).text for answer in found]

    def ask_each(
        self,
        sounds: Iterable[Heard],
        question: str = wording.CAPTION,
        window: float | None = None,
        most_tokens: int = LONGEST_ANSWER,
        strict: bool = False,
        report: io.Report | None = None,
    ) -> Iterator[Answer]:
        """Answers a question about each of many sounds as they come; one that cannot be used stops none of the others.

        Args:
            sounds: of any lengths.
            question: not empty.
            window: cut each sound into pieces of so many seconds, and answer about each piece.
            most_tokens: the longest answer.
            strict: give none about a file of which something is missing.
            report: is told how many sounds are done, of one that is heard in windows a part too.

        Yields:
            for each sound in order its answer, or that of each of its windows; or why there is none.

        Raises:
            LanguageError: if the question is empty or too long, before the first answer is asked for.
        """
        heard = (partial(self.hear, sound, strict, None) for sound in sounds)
        return listening.answer_each(self.language, heard, question, window, most_tokens, report)

    def events(
        self, sound: Heard, window: float = EVENT_WINDOW, strict: bool = False, report: io.Report | None = None
    ) -> list[Event]:
        """What is heard when in a sound of any length, in the order of time; windows of one answer are one event.

        Args:
            sound: any.
            window: length of the pieces that are answered about, seconds.
            strict: refuse a file of which something is missing.
            report: is told how much is done, 0 to 1.

        Raises:
            MakeSomeNoiseError: as `hear`, or if the window is shorter than a code.
        """
        found = self.ask_each([sound], wording.CAPTION, window, strict=strict, report=report)
        return joined(Answered(one.start or 0.0, one.end or 0.0, one.text) for one in map(_raised, found))

    def stream_answer(
        self, sound: Heard, question: str = wording.CAPTION, most_tokens: int = LONGEST_ANSWER
    ) -> Iterator[str]:
        """Answers a question about a sound in pieces of text as they come; errors are those of `ask`."""
        return listening.stream_answer(self.language, self.hear(sound), question, most_tokens)

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
            window: see `Namer.rank`.
            prior: see `Namer`.

        Raises:
            AudioError, BitstreamError, PipelineError: as `hear`.
            LanguageError: as `Namer`, or if a sound is too long for the context.
        """
        return [list(_raised(found).labels) for found in self.classify_each(_several(sounds), labels, window, prior)]

    def classify_each(
        self,
        sounds: Iterable[Heard],
        labels: Sequence[str],
        window: float | None = None,
        prior: float = naming.PRIOR,
        strict: bool = False,
        report: io.Report | None = None,
    ) -> Iterator[Ranking]:
        """Ranks labels for each of many sounds as they come; one that cannot be used stops none of the others.

        Args and errors about labels are those of `classify`, before the first ranking is asked for; `strict` and
        `report` are those of `ask_each`.
        """
        heard = (partial(self.hear, sound, strict, None) for sound in sounds)
        return self.namer(tuple(labels), prior).rank_each(heard, window, report)

    def compose(
        self, text: str, seconds: float, seed: int = 0, sampling: Sampling = GENERATING, candidates: int = 1
    ) -> list[Sound]:
        """Makes sounds from a text, as codes for `render`, all of them drawn at once from one seed."""
        return compose(self.language, text, seconds, seed, sampling, candidates)

    def render(
        self, sound: Sound, seconds: float | None = None, seed: int = 0, generation: Generation = AS_CODED
    ) -> np.ndarray:
        """The waveform [S] of codes.

        Args:
            sound: codes.
            seconds: cut it to this length.
            seed: the same seed gives the same waveform.
            generation: how it is decoded; the default leaves it as loud as its codes say.
        """
        rate = self.tokenizer.sample_rate
        waveform = self.tokenizer.decode([sound.codes], generation.steps, seed=seed, quality=generation.quality)[0]
        waveform = waveform if seconds is None else waveform[: round(seconds * rate)]
        return waveform if generation.level_db is None else level.levelled(waveform, rate, generation.level_db)

    def generate(
        self,
        text: str,
        seconds: float = 5.0,
        seed: int = 0,
        generation: Generation = USUAL,
        candidates: int = 1,
        best_by: BestBy | None = None,
    ) -> np.ndarray:
        """Waveforms [C, S] of the sounds that `generate_each` makes, which explains the settings."""
        made = self.generate_each(text, seconds, seed, generation, candidates, best_by)
        return np.stack([one.waveform for one in made])

    def generate_each(
        self,
        text: str,
        seconds: float = 5.0,
        seed: int = 0,
        generation: Generation = USUAL,
        candidates: int = 1,
        best_by: BestBy | None = None,
        report: io.Report | None = None,
    ) -> Iterator[Generated]:
        """Makes sounds from a text, one after the other.

        Args:
            text: what is to be heard, not empty.
            seconds: length of each.
            seed: of the first sound, and one more for each further one; the same seed gives the same sound, however
                many are made.
            generation: how they are made, `Generation(quality="best", temperature=0.8)`.
            candidates: number of sounds C.
            best_by: `caption` gives only that of them in which the model itself best recognises the text.
            report: called with the share that is drawn, now and again.

        Yields:
            sounds [S] of exactly that length.

        Raises:
            PipelineError, LanguageError: if the text is empty, the length is not above 0, less than a sample or too
                long for the context, or there is to be no sound; before the first sound is asked for.
        """
        if 0.0 < seconds * self.tokenizer.sample_rate <= 0.5:  # noqa: PLR2004 - rounds to no sample
            raise PipelineError(f"Cannot make {seconds:g} s of sound: that is less than a sample.")
        if candidates < 1:
            raise PipelineError(f"Ask for at least one candidate; got {candidates}.")
        if not wording.clause(text):
            raise PipelineError("The text is empty: say what is to be heard.")
        sound_order(self.language, text, seconds)  # refuses what cannot be made

        def drawn_alone(number: int) -> Generated:
            told = None if report is None else _part(report, number, candidates)
            return self._drawn(text, seconds, seed + number, generation, told)

        drawn = map(drawn_alone, range(candidates))
        chosen = drawn if best_by is None else self._best(text, drawn)
        render = partial(self.render, seconds=seconds, generation=generation)
        return (replace(one, waveform=render(one.sound, seed=one.seed)) for one in chosen)

    def go_on(
        self,
        sound: Heard,
        seconds: float = 5.0,
        seed: int = 0,
        generation: Generation = USUAL,
        report: io.Report | None = None,
    ) -> Continuation:
        """Makes what follows a sound, as loud as its end; settings are those of `generate_each`.

        Raises:
            MakeSomeNoiseError: as `hear`; if the length is not above 0, or both do not fit into the context.
        """
        made = continued(self.language, heard := self.hear(sound), seconds, seed, generation, report)
        return self.render_after(heard, made, seconds, seed, generation)

    def render_after(
        self, heard: Sound, made: Sound, seconds: float, seed: int, generation: Generation
    ) -> Continuation:
        """The waveform of codes that follow others, as loud as their end; arguments are those of `go_on`."""
        before = heard.codes[-_LEAD_CODES:]
        whole = Sound((*before, *made.codes))
        waveform = self.render(whole, None, seed, replace(generation, level_db=None))
        seam = len(before) * self.tokenizer.samples_per_code
        return Continuation.cut(waveform, seam, seconds, self.tokenizer.sample_rate)

    def chat(self, seed: int = 0) -> "Chat":
        """Begins a conversation; the same seed and the same turns give the same replies."""
        return Chat(self, seed)

    def _encoded(self, chunks: Iterator[np.ndarray]) -> Sound:
        sizes: list[int] = []
        codes = np.concatenate(list(self.tokenizer.stream_encode(counted(chunks, sizes)))).tolist()
        return Sound(tuple(codes), sum(sizes) / self.tokenizer.sample_rate)

    def _drawn(self, text: str, seconds: float, seed: int, sampling: Sampling, told: io.Report | None) -> Generated:
        """One sound alone: drawn beside others it would be another, since sums over more rows round otherwise."""
        (sound,) = compose(self.language, text, seconds, seed, sampling, report=told)
        return Generated(np.empty(0, np.float32), sound, seed)

    def _best(self, text: str, drawn: Iterator[Generated]) -> Iterator[Generated]:
        candidates = list(drawn)
        scores = recognised(self.language, [one.sound for one in candidates], text)
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        yield replace(candidates[order[0]], score=scores[order[0]], others=tuple(scores[place] for place in order[1:]))


def _part(report: io.Report, number: int, count: int) -> io.Report:
    return lambda share: report((number + share) / count)


def _several(sounds: Sounds) -> Sounds:
    if isinstance(sounds, str | Path) or len(getattr(sounds, "shape", (0, 0))) != 2:  # noqa: PLR2004 - [B, S]
        raise PipelineError("Expected several sounds: give a list, or waveforms [B, S].")
    return sounds


def _raised(found: Found) -> Found:
    """What was found, where it was."""
    if found.error is not None:
        raise found.error
    return found


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
        made = partial(self._model.render, seed=self._seed, generation=AS_CODED if self._attached else USUAL)
        return (made(part, part.seconds) if isinstance(part, Sound) else part for part in reply)

    def reset(self) -> None:
        """Forgets all that was said and attached."""
        self._dialogue.reset()
        self._attached = False
