"""What requests ask of the model, step by step: answers in a conversation, and sounds; see `tasks` for the others.

Each job yields what it made, and None after every step in which nothing was ready, so that others come to their turn.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from makesomenoise.audio.level import RunningLevel
from makesomenoise.errors import RequestError
from makesomenoise.language import naming, wording
from makesomenoise.language.listening import LONGEST_ANSWER, Trimmed
from makesomenoise.language.orders import Order, continuation_order, sound_order
from makesomenoise.language.prompts import Role, Sound, Turn
from makesomenoise.language.sampling import GREEDY, TALKING, Sampling
from makesomenoise.language.side_by_side import Drawing, SideBySide, WantedCodes, WantedText
from makesomenoise.language.speech import Speech
from makesomenoise.pipeline import AS_CODED, USUAL, AudioLanguageModel, Generation
from makesomenoise.tokenizer.config import DecodingWindow

_STREAMED = DecodingWindow(codes=32, context=16)  # 1.4 s of sound at a time, of which 2 s must be drawn
_LONGEST_REPLY, _SHORTEST_ROOM = 512, 16  # tokens
_CODES = Sampling(temperature=1.0)

Steps = Generator[object, None, None]


@dataclass(frozen=True)
class Read:
    """How much was read before the answer.

    Attributes:
        text_tokens: of text.
        audio_tokens: of sounds.
    """

    text_tokens: int
    audio_tokens: int


@dataclass(frozen=True)
class Said:
    """A piece of text of an answer.

    Attributes:
        choice: which of several answers.
        text: not empty.
    """

    choice: int
    text: str


@dataclass(frozen=True)
class Sounded:
    """A piece of sound of an answer.

    Attributes:
        choice: which of several answers.
        waveform: [s].
    """

    choice: int
    waveform: np.ndarray


@dataclass(frozen=True)
class Ended:
    """The end of an answer.

    Attributes:
        choice: which of several answers.
        complete: whether it came to its own end, not to the most tokens.
        text_tokens: of text that was drawn.
        audio_tokens: of sounds that were drawn.
        sound: all that was made, as codes; none if nothing was.
    """

    choice: int
    complete: bool
    text_tokens: int
    audio_tokens: int
    sound: Sound | None = None


@dataclass(frozen=True)
class Message:
    """What one side said.

    Attributes:
        role: who spoke.
        text: in words; may be empty if there are sounds.
        sounds: before the words: waveforms [S], or codes of what was made here.
    """

    role: Role
    text: str
    sounds: tuple[np.ndarray | Sound, ...] = ()


@dataclass(frozen=True)
class Reply:
    """An answer in a conversation, of text, and of sounds where they may come: as `msn ask` and `msn chat` give it.

    Attributes:
        messages: what was said, the last by the user.
        choices: how many answers.
        seed: of the first; the others have the next ones.
        sampling: how text is drawn; none takes the likeliest, or draws as `msn chat` does where sounds may come.
        most_tokens: the longest answer; none is the usual length.
        sounds: whether sounds may come.
        streamed: whether sounds are handed over in pieces.
    """

    messages: tuple[Message, ...]
    choices: int = 1
    seed: int = 0
    sampling: Sampling | None = None
    most_tokens: int | None = None
    sounds: bool = False
    streamed: bool = False

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Steps:
        """Answers."""
        turns: list[Turn] = []
        for message in self.messages:
            heard = [model.hear(sound) for sound in message.sounds]
            turns.append(Turn(message.role, (*heard, message.text) if message.text else tuple(heard)))
            yield None
        prompt = model.language.prompts.prompt(turns)
        yield read_of(model, prompt)
        usual = (_LONGEST_REPLY, TALKING) if self.sounds else (LONGEST_ANSWER, GREEDY)
        most = min(self._room(model, prompt), self.most_tokens or usual[0])
        wanted = WantedText(prompt, most, self.sampling or usual[1], sounds=_CODES if self.sounds else None)
        level = AS_CODED if any(message.sounds for message in self.messages) else USUAL
        drawings = [batch.add(replace(wanted, seed=self.seed + number)) for number in range(self.choices)]
        yield from interleaved(
            [self._answer(model, drawing, number, level) for number, drawing in enumerate(drawings)], drawings
        )

    def _room(self, model: AudioLanguageModel, prompt: list[int]) -> int:
        room = model.language.config.context_tokens - 1 - len(prompt)
        if room < _SHORTEST_ROOM:
            raise RequestError(
                f"This conversation takes {len(prompt)} tokens, and the context has "
                f"{model.language.config.context_tokens}: send fewer turns, or a shorter text or sound."
            )
        return room

    def _answer(self, model: AudioLanguageModel, drawing: Drawing, choice: int, level: Generation) -> Steps:
        speech, trimmed, codes = Speech(model.language.vocabulary), Trimmed(), []
        text_tokens = audio_tokens = 0
        for (token,) in drawing:
            audio = model.language.vocabulary.first <= token <= model.language.vocabulary.end
            audio_tokens, text_tokens = audio_tokens + audio, text_tokens + (not audio)
            yield None
            for part in speech.after(token):
                if isinstance(part, Sound):
                    codes += part.codes
                    yield from self._rendered(model, part, choice, level)
                elif said := trimmed.after(part):
                    yield Said(choice, said)
        for part in speech.rest():
            if isinstance(part, str) and (said := trimmed.after(part)):
                yield Said(choice, said)
        sound = Sound(tuple(codes)) if codes else None
        yield Ended(choice, drawing.ended, text_tokens, audio_tokens, sound)

    def _rendered(self, model: AudioLanguageModel, sound: Sound, choice: int, level: Generation) -> Steps:
        if self.streamed:
            yield from Heard(model, level, self.seed).pieces(iter([list(sound.codes)]), choice)
        else:
            yield Sounded(choice, model.render(sound, seed=self.seed, generation=level))


@dataclass(frozen=True)
class Make:
    """A sound of an exact length from a text, as `msn generate` makes it, or how a sound goes on.

    Attributes:
        text: what is to be heard; may be empty if there is a sound to go on with.
        seconds: its length.
        seed: of the first candidate of the first choice; the others have the next ones.
        choices: how many sounds.
        generation: how they are made.
        candidates: make so many of each, and keep that in which the model best recognises the text.
        without: what is not to be heard.
        after: a waveform [S] or codes that it goes on with.
        streamed: whether it is handed over in pieces, while the rest is made.
    """

    text: str
    seconds: float
    seed: int = 0
    choices: int = 1
    generation: Generation = USUAL
    candidates: int = 1
    without: str = ""
    after: np.ndarray | Sound | None = None
    streamed: bool = False

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Steps:
        """Makes the sounds."""
        heard = None if self.after is None else model.hear(self.after)
        asked = self._request(model, heard)
        yield read_of(model, asked.prompt)
        wanted = WantedCodes(asked.prompt, asked.nothing, asked.count, self.generation)
        seeds = [
            range(self.seed + n * self.candidates, self.seed + (n + 1) * self.candidates) for n in range(self.choices)
        ]
        groups = [[Drawn(seed, batch.add(replace(wanted, seed=seed))) for seed in each] for each in seeds]
        jobs = [self._made(model, group, number, heard) for number, group in enumerate(groups)]
        yield from interleaved(jobs, [one.drawing for group in groups for one in group])

    def _request(self, model: AudioLanguageModel, heard: Sound | None) -> Order:
        if self.seconds * model.tokenizer.sample_rate <= 0.5:  # noqa: PLR2004 - rounds to no sample
            raise RequestError(f"Cannot make {self.seconds:g} s of sound: that is less than a sample.")
        if heard is not None:
            return continuation_order(model.language, heard, self.seconds)
        if not wording.clause(self.text):
            raise RequestError("The text is empty: say what is to be heard.")
        return sound_order(model.language, self.text, self.seconds, self.without)

    def _made(self, model: AudioLanguageModel, group: "list[Drawn]", choice: int, heard: Sound | None) -> Steps:
        if self.streamed and len(group) == 1 and heard is None:
            codes: list[int] = []
            waves = Heard(model, self.generation, group[0].seed, self.seconds)
            yield from waves.pieces(group[0].drawing, choice, codes)
            sound = Sound(tuple(codes))
        else:
            sounds: list[Sound] = []
            for one in group:
                codes = []
                for drawn in one.drawing:
                    codes += drawn
                    yield None
                sounds.append(Sound(tuple(codes)))
            best = self._best(model, sounds)
            sound = sounds[best]
            yield Sounded(choice, self._waveform(model, sound, group[best].seed, heard))
        yield Ended(choice, True, 0, len(sound.codes) * len(group), sound)

    def _waveform(self, model: AudioLanguageModel, sound: Sound, seed: int, heard: Sound | None) -> np.ndarray:
        if heard is not None:
            return model.render_after(heard, sound, self.seconds, seed, self.generation).waveform
        return model.render(sound, self.seconds, seed, self.generation)

    def _best(self, model: AudioLanguageModel, sounds: list[Sound]) -> int:
        if len(sounds) == 1 or not self.text:
            return 0
        scores = naming.recognised(model.language, sounds, self.text)
        return max(range(len(sounds)), key=scores.__getitem__)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A candidate that is being drawn.

    Attributes:
        seed: of its codes and of its decoding.
        drawing: its codes.
    """

    seed: int
    drawing: Drawing


@dataclass(frozen=True)
class Heard:
    """Codes that are still being drawn, as sound.

    Attributes:
        model: decodes them.
        generation: how they become sound.
        seed: of the decoder's noise.
        seconds: where the sound is cut.
    """

    model: AudioLanguageModel
    generation: Generation
    seed: int
    seconds: float | None = None

    def pieces(self, drawn: Iterator[list[int]], choice: int, kept: list[int] | None = None) -> Steps:
        """Pieces of the sound as soon as their codes are there.

        Args:
            drawn: codes, some at a time.
            choice: which of several answers.
            kept: gets all codes.
        """
        codes: list[int] = [] if kept is None else kept
        tokenizer, pending = self.model.tokenizer, list[int]()

        def draw() -> bool:
            some = next(drawn, [])
            codes.extend(some)
            pending.extend(some)
            return bool(some)

        def chunks() -> Iterator[np.ndarray]:
            while pending or draw():
                ready = np.array(pending)
                pending.clear()  # before others go on: they append
                yield ready

        left = None if self.seconds is None else round(self.seconds * tokenizer.sample_rate)
        how, rate = self.generation, tokenizer.sample_rate
        level = None if how.level_db is None else RunningLevel(rate, how.level_db)
        shortly = tokenizer.with_window(_STREAMED)
        decoded = shortly.stream_decode(chunks(), how.steps, None, self.seed, how.quality)
        while True:
            while len(pending) < _STREAMED.codes and draw():
                yield None
            piece = next(decoded, None)
            if piece is None:
                return
            piece = piece[:left]
            left = None if left is None else left - len(piece)
            if len(piece):
                yield Sounded(choice, piece if level is None else level.after(piece))


def read_of(model: AudioLanguageModel, prompt: Sequence[int]) -> Read:
    """How many tokens of text and of sounds there are."""
    audio = int(model.language.vocabulary.is_audio(np.array(prompt)).sum())
    return Read(len(prompt) - audio, audio)


def interleaved(jobs: list[Steps], drawings: list[Drawing]) -> Steps:
    """One step of each after the other, until all came to their end; what is left is given back when it is closed."""
    open_ = list(jobs)
    try:
        yield None  # before the first is drawn, so that jobs which begin together read equal prompts once
        while open_:
            for steps in tuple(open_):
                try:
                    yield next(steps)
                except StopIteration:
                    open_.remove(steps)
    finally:
        close(drawings)


def close(drawings: list[Drawing]) -> None:
    """Gives back the rows of those that are not finished."""
    for drawing in drawings:
        if not drawing.finished:
            drawing.close()
