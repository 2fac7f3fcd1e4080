"""What a model says of sounds that are given as codes: answers, also window by window."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise

from makesomenoise.errors import MakeSomeNoiseError
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import sample_texts, stream_tokens
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GREEDY, seeded
from makesomenoise.language.speaker import Speaker
from makesomenoise.language.speech import spoken

LONGEST_ANSWER = 64
_AT_ONCE = 8
_USUAL_WINDOW = 10
HEARING = 0.05  # of the work on a sound in windows; the rest is answering

Report = Callable[[float], object]  # is told how much is done
Hearing = Callable[[Report], Sound]  # gives the codes of a sound, and tells how much of it was heard, 0 to 1


@dataclass(frozen=True)
class Window:
    """A piece of a sound.

    Attributes:
        start: where it begins, seconds.
        end: where it ends, seconds.
        sound: its codes.
    """

    start: float
    end: float
    sound: Sound


@dataclass(frozen=True)
class Answered:
    """What was said about a window of a sound.

    Attributes:
        start: where the window begins, seconds.
        end: where it ends, seconds.
        text: the answer.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Answer:
    """What was said of a sound, or of a window of it.

    Attributes:
        number: which of the sounds that were given, from 0.
        text: the answer; empty where there is none.
        start: where what was heard begins, seconds; none where all of the sound was.
        end: where it ends, seconds.
        error: why there is no answer.
    """

    number: int
    text: str = ""
    start: float | None = None
    end: float | None = None
    error: MakeSomeNoiseError | None = None


def prompt_about(model: Speaker, question: str, sound: Sound | None = None, room: int = LONGEST_ANSWER) -> list[int]:
    """The tokens of a question about a sound, up to where the model is to speak.

    Args:
        model: is asked.
        question: not empty.
        sound: what it is about; none asks without one.
        room: tokens that must be left for the answer.

    Raises:
        LanguageError: if the question or the sound is empty, or if they do not fit into the context.
    """
    if not question.strip():
        raise LanguageError("The text is empty: say what is asked for.")
    if sound is not None and not sound.codes:
        raise LanguageError("The sound is empty: give one that holds samples.")
    parts = (question.strip(),) if sound is None else (sound, question.strip())
    prompt = model.prompts.prompt([Turn("user", parts)])
    excess = len(prompt) - (model.config.context_tokens - room - 1)
    if excess > 0:
        seconds = 0.0 if sound is None else len(sound.codes) / model.config.code_rate
        # Start and end aside, less of it takes no more tokens a second.
        taken = 0 if sound is None else len(model.prompts.content(Turn("user", (sound,)))) - 2
        raise _too_long(seconds, seconds * (1.0 - excess / max(taken, 1)))
    return prompt


def answers(model: Speaker, sounds: Sequence[Sound], question: str, most: int = LONGEST_ANSWER) -> list[str]:
    """Answers a question about each of the sounds, several at once, in the likeliest words.

    Args:
        model: answers.
        sounds: of any lengths.
        question: not empty.
        most: the most tokens of an answer.

    Raises:
        LanguageError: as `prompt_about`.
    """
    prompts = [prompt_about(model, question, sound, most) for sound in sounds]
    found: list[str] = []
    for first in range(0, len(prompts), _AT_ONCE):
        found += greedy_answers(model, prompts[first : first + _AT_ONCE], most)
    return found


def greedy_answers(model: Speaker, prompts: Sequence[Sequence[int]], most: int = LONGEST_ANSWER) -> list[str]:
    """What a model says after each prompt, in the likeliest words and in one batch.

    Args:
        model: answers.
        prompts: tokens up to where the assistant is to speak.
        most: the most tokens of an answer.

    Raises:
        LanguageError: if the context is too short.
    """
    found = sample_texts(model, prompts, most, GREEDY, seeded(0))
    return ["".join(str(piece) for piece in spoken(model.vocabulary, tokens)).strip() for tokens in found]


def stream_answer(model: Speaker, sound: Sound, question: str, most: int = LONGEST_ANSWER) -> Iterator[str]:
    """Answers a question about a sound piece by piece; the pieces follow each other to what `answers` gives.

    Args:
        model: answers.
        sound: what the question is about.
        question: not empty.
        most: the most tokens of the answer.

    Raises:
        LanguageError: as `prompt_about`, before the first piece is asked for.
    """
    tokens = stream_tokens(model, prompt_about(model, question, sound, most), most, GREEDY, seeded(0))
    return _stripped(str(piece) for piece in spoken(model.vocabulary, tokens))


def windows(sound: Sound, seconds: float, code_rate: float) -> list[Window]:
    """Cuts a sound into pieces of one length, one after the other; the last ends where the sound ends.

    What would be a last piece of a single code is left to the piece before it.

    Args:
        sound: what to cut.
        seconds: length of each piece, at least that of one code.
        code_rate: codes a second.

    Raises:
        LanguageError: if the length is shorter than a code, or the sound is empty.
    """
    if not sound.codes:
        raise LanguageError("The sound is empty: give one that holds samples.")
    if not 1.0 <= seconds * code_rate < math.inf:
        raise LanguageError(f"A window must be at least {1 / code_rate:.3f} s long; got {seconds:g} s.")
    total, length = len(sound.codes), seconds * code_rate
    count = max(math.ceil((total - 1) / length), 1)
    edges = [*(round(number * length) for number in range(count)), total]
    end_of_sound = total / code_rate if sound.seconds is None else sound.seconds
    return [
        Window(start / code_rate, min(end / code_rate, end_of_sound), Sound(sound.codes[start:end]))
        for start, end in pairwise(edges)
    ]


def answer_windows(
    model: Speaker, sound: Sound, question: str, seconds: float, most: int = LONGEST_ANSWER
) -> Iterator[Answered]:
    """Answers a question about each window of a sound, several windows at once.

    Args:
        model: answers.
        sound: of any length.
        question: not empty.
        seconds: length of the windows.
        most: the most tokens of an answer.

    Raises:
        LanguageError: as `windows` and `prompt_about`.
    """
    pieces = windows(sound, seconds, model.config.code_rate)
    for first in range(0, len(pieces), _AT_ONCE):
        batch = pieces[first : first + _AT_ONCE]
        for piece, text in zip(batch, answers(model, [p.sound for p in batch], question, most), strict=True):
            yield Answered(piece.start, piece.end, text)


def answer_each(
    model: Speaker,
    sounds: Iterable[Hearing],
    question: str,
    window: float | None = None,
    most: int = LONGEST_ANSWER,
    report: Report | None = None,
) -> Iterator[Answer]:
    """Answers a question about each of many sounds as they are heard; one that fails stops none of the others.

    Args:
        model: answers.
        sounds: of any lengths.
        question: not empty.
        window: cut each sound into pieces of so many seconds, and answer about each piece.
        most: the most tokens of an answer.
        report: is told how many sounds are done, of one that is answered about in windows a part too.

    Yields:
        for each sound in order its answer, or that of each of its windows; or why there is none.

    Raises:
        LanguageError: if the question is empty or too long, before the first answer is asked for.
    """
    prompt_about(model, question, room=most)
    told = report or nobody
    if window is None:
        return _about_whole(model, sounds, question, most, told)
    answered = partial(answer_windows, model, question=question, seconds=window, most=most)
    return _about_windows(sounds, answered, model.config.code_rate, told)


def _about_whole(
    model: Speaker, sounds: Iterable[Hearing], question: str, most: int, report: Report
) -> Iterator[Answer]:
    def fitting(sound: Hearing) -> Sound | MakeSomeNoiseError:
        """The codes of a sound that the question can be asked about, or why it cannot."""
        try:
            prompt_about(model, question, heard := sound(nobody), most)
        except MakeSomeNoiseError as error:
            return error
        return heard

    numbered = enumerate(sounds)
    while batch := list(islice(numbered, _AT_ONCE)):
        heard = {number: fitting(sound) for number, sound in batch}
        good = {number: sound for number, sound in heard.items() if isinstance(sound, Sound)}
        said = dict(zip(good, answers(model, list(good.values()), question, most), strict=True))
        for number, sound in heard.items():
            yield Answer(number, said[number]) if isinstance(sound, Sound) else Answer(number, error=sound)
            report(number + 1)


def _about_windows(
    sounds: Iterable[Hearing], answered: Callable[[Sound], Iterator[Answered]], code_rate: float, report: Report
) -> Iterator[Answer]:
    for number, sound in enumerate(sounds):
        try:
            heard = sound(part_of(report, number, 0.0, HEARING))
            told, seconds = part_of(report, number, HEARING, 1.0), len(heard.codes) / code_rate
            for one in answered(heard):
                yield Answer(number, one.text, one.start, one.end)
                told(one.end / seconds)
        except MakeSomeNoiseError as error:
            yield Answer(number, error=error)
        report(number + 1)


def part_of(report: Report, number: int, start: float, stop: float) -> Report:
    """What is told how much is done, 0 to 1, of what lies between two shares of the work on a sound."""
    return lambda share: report(number + start + share * (stop - start))


def nobody(done: float) -> None:
    """Is told how much is done where nobody asked."""
    del done


class Trimmed:
    """Texts that follow each other to what was given, without the space around all of it."""

    def __init__(self):
        self._held, self._begun = "", False

    def after(self, piece: str) -> str:
        """What can be said after one more piece; may be empty."""
        text = self._held + piece if self._begun else piece.lstrip()
        said = text.rstrip()
        self._held = text[len(said) :]
        self._begun |= bool(said)
        return said


def _stripped(pieces: Iterator[str]) -> Iterator[str]:
    trimmed = Trimmed()
    for piece in pieces:
        if said := trimmed.after(piece):
            yield said


def _too_long(seconds: float, allowed: float) -> LanguageError:
    if allowed < 1.0:
        return LanguageError("The question leaves no room for a sound in the context: give a shorter one.")
    window = min(_USUAL_WINDOW, int(allowed))
    return LanguageError(
        f"The sound is {seconds:.1f} s long, and {allowed:.1f} s fit into the context: give a shorter one, or have "
        f"it cut into windows (`--window {window}`)."
    )
