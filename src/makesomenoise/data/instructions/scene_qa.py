"""Questions about scenes whose answers are exact, since the scene was made: for training and for evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Literal, TypeVar, get_args

import numpy as np

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.data.instructions import templates
from makesomenoise.data.ontology import Name, Ontology

Item = TypeVar("Item")

QuestionType = Literal["first", "last", "count", "presence", "louder", "start", "order"]
TYPES: tuple[QuestionType, ...] = get_args(QuestionType)
LearnedType = Literal[QuestionType, "level"]  # what only serves to learn from as well
MOST_TIMES = 3  # that one sound is heard in a scene
_CHOICES = 4
_LOUDER_DB = 4.0
_LEVELS = {"very quiet": -36.0, "quiet": -30.0, "loud": -24.0, "very loud": np.inf}  # up to this, dB of full scale
_MOMENTS = range(9)  # seconds, those of the longest scenes
_BEGINNINGS = (0.4, 0.25, 0.35)  # with presence, with names, with the rest
_AROUND_SECONDS = 0.5


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Attributes:
        type: one of `TYPES`, or `level`.
        question: as it is asked.
        short: the answer without wording around it.
        answer: the answer as a sentence; one of the choices.
        choices: sentences of which one is right.
        subjects: the sounds that the question names.
    """

    type: str
    question: str
    short: str
    answer: str
    choices: tuple[str, ...]
    subjects: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Part:
    """All that one sound does in a scene.

    Attributes:
        name: what it is.
        times: how often it sounds.
        start: of the first time, seconds.
        end: of the last time, seconds.
        level_db: while it sounds, dB of full scale.
    """

    name: Name
    times: int
    start: float
    end: float
    level_db: float


def parts(events: Sequence[Event], ontology: Ontology) -> list[Part]:
    """The different sounds of a scene, in the order of their starts."""
    found: list[Part] = []
    for label in dict.fromkeys(event.label for event in events):
        same = [event for event in events if event.label == label]
        name = ontology.find(label)
        if name is not None:
            start, end = min(event.start for event in same), max(event.end for event in same)
            found.append(Part(name, len(same), start, end, same[0].level_db))
    return sorted(found, key=lambda part: part.start)


def asked_about(question: Question, scene: Sequence[Part]) -> list[Part]:
    """The sounds of a scene that a question names, in the order of their starts."""
    return [part for part in scene if part.name in question.subjects]


def overlapping(scene: Sequence[Part]) -> bool:
    """Whether the first sound goes on under the others; else each follows the one before."""
    return len(scene) > 1 and scene[1].start < scene[0].end


def described(scene: Sequence[Part]) -> str:
    """What happens, as one clause: "a dog barks twice, then thunder rumbles"."""
    clauses = [templates.repeated(part.name.happens, part.times) for part in scene]
    if overlapping(scene):
        return f"{clauses[0]} while {templates.then(clauses[1:])}"
    return templates.then(clauses)


def timeline(events: Sequence[Event], ontology: Ontology) -> str:
    """What starts in which second, to the nearest: "0 s: a dog, a dog. 3 s: thunder."; once for each time it sounds."""
    started: dict[int, list[str]] = {}
    for event in sorted(events, key=lambda event: event.start):
        name = ontology.find(event.label)
        if name is not None:
            started.setdefault(templates.nearest_second(event.start), []).append(name.heard)
    return " ".join(f"{second} s: {templates.listed(names)}." for second, names in started.items())


def heard_in(clips: Sequence[CodeClip]) -> list[Name]:
    """The names of all sounds in scenes, each as often as it is in one."""
    return [part.name for clip in clips for part in parts(clip.events, clip.ontology)]


def scene_questions(
    clip: CodeClip, rng: np.random.Generator, pool: Sequence[Name] = (), varied: bool = False
) -> list[Question]:
    """At most one question of each type that the scene has an exact answer to, in the order of `TYPES`.

    Args:
        clip: a scene; other clips have no events and so no questions.
        rng: chooses what is asked about and the wrong choices.
        pool: what absent sounds are drawn from, each name as often as it should come: with the names of all scenes
            (`heard_in`), no answer is likely before the sound is heard. Empty: all names alike.
        varied: choose the wording too; else it is the plain one.
    """
    found = all_questions(clip, rng, pool, varied)
    chosen = [_one([question for question in found if question.type == kind], rng) for kind in TYPES]
    return [question for question in chosen if question is not None]


def all_questions(
    clip: CodeClip, rng: np.random.Generator, pool: Sequence[Name] = (), varied: bool = False
) -> list[Question]:
    """All questions that the scene has an exact answer to; those about presence ask for as many absent sounds.

    Args:
        clip: as for `scene_questions`.
        rng: as for `scene_questions`.
        pool: as for `scene_questions`.
        varied: as for `scene_questions`.
    """
    scene, words = parts(clip.events, clip.ontology), rng if varied else None
    absent = others([part.name for part in scene], len(scene), rng, clip.ontology, pool)
    found = [*_presence(scene, absent, rng, words), *_count(scene, rng, words)]
    if len(scene) < 2:  # noqa: PLR2004 - nothing comes before or after anything
        return found
    found += _start(scene, rng, words)
    if not overlapping(scene):
        found += [_end(kind, clip, rng, pool, words) for kind in ("first", "last")]
        found += [*_louder(scene, rng, words), _order(scene, rng, words)]
    return found


def level_questions(clip: CodeClip, rng: np.random.Generator) -> list[Question]:
    """How loud each sound of a scene is, in any wording: what "louder" is learned from.

    Args:
        clip: as for `scene_questions`.
        rng: chooses the wording and the order of the choices.
    """
    found = []
    for part in parts(clip.events, clip.ontology):
        right = next(word for word, most_db in _LEVELS.items() if part.level_db <= most_db)
        shorts = [right, *(word for word in _LEVELS if word != right)]
        found.append(
            _asked("level", templates.question("level", rng, heard=part.name.heard), shorts, rng, (part.name,))
        )
    return found


def untold(questions: Sequence[Question], rng: np.random.Generator) -> list[Question]:
    """Questions about a scene in an order in which none is answered by what was said before it.

    Whether a sound is there is told by every question that names it, and what comes first by the order of all.

    Args:
        questions: all about one scene.
        rng: chooses; some kinds are left out at times, so that the later ones come first too.
    """
    shuffled = [questions[int(n)] for n in rng.permutation(len(questions))]
    naming = [question for question in shuffled if question.type in ("first", "last", "order")][:1]
    presence = [question for question in shuffled if question.type == "presence"]
    rest = [question for question in shuffled if question.type in ("count", "louder", "start")]
    rest += [question for question in shuffled if question.type == "level"]  # last: two tell which is louder
    stages = [presence, naming, rest]
    begin = int(rng.choice(3, p=_BEGINNINGS))
    return [question for stage in stages[begin:] for question in stage] or shuffled[:1]


def others(
    present: Sequence[Name], count: int, rng: np.random.Generator, ontology: Ontology, pool: Sequence[Name] = ()
) -> list[Name]:
    """Different names of sounds that are not easily confused with any of those present.

    Args:
        present: what sounds.
        count: how many are wanted.
        rng: chooses.
        ontology: has all names.
        pool: as for `scene_questions`; names of which it has too few come from all.
    """
    groups, found = {name.group for name in present}, dict[Name, None]()
    for source in (pool, list(ontology.names.values())):
        for number in rng.permutation(len(source)):
            if len(found) < count and source[int(number)].group not in groups:
                found[source[int(number)]] = None
    return list(found)


def _end(
    kind: str, clip: CodeClip, rng: np.random.Generator, pool: Sequence[Name], words: np.random.Generator | None
) -> Question:
    present = [part.name for part in parts(clip.events, clip.ontology)]
    right = present[0 if kind == "first" else -1]
    wrong = [name for name in present if name is not right] + others(present, _CHOICES, rng, clip.ontology, pool)
    shorts = [right.heard, *(name.heard for name in wrong[: _CHOICES - 1])]
    return _asked(kind, templates.question(kind, words), shorts, rng)


def _count(scene: list[Part], rng: np.random.Generator, words: np.random.Generator | None) -> list[Question]:
    found = []
    for part in scene:
        if part.name.counted:
            numbers = [part.times, *(n for n in range(1, MOST_TIMES + 1) if n != part.times)]
            shorts = [templates.times(n) for n in numbers]
            found.append(
                _asked("count", templates.question("count", words, heard=part.name.heard), shorts, rng, (part.name,))
            )
    return found


def _presence(
    scene: list[Part], absent: list[Name], rng: np.random.Generator, words: np.random.Generator | None
) -> list[Question]:
    answers = [(part.name, ["yes", "no"]) for part in scene] + [(name, ["no", "yes"]) for name in absent]
    return [
        _asked("presence", templates.question("presence", words, heard=name.heard), shorts, rng, (name,))
        for name, shorts in answers
    ]


def _louder(scene: list[Part], rng: np.random.Generator, words: np.random.Generator | None) -> list[Question]:
    found = []
    for louder, softer in permutations(scene, 2):
        if louder.level_db >= softer.level_db + _LOUDER_DB:
            shorts = [louder.name.heard, softer.name.heard]
            a, b = rng.permutation(np.array(shorts)).tolist()
            named = (louder.name, softer.name)
            found.append(_asked("louder", templates.question("louder", words, a=a, b=b), shorts, rng, named))
    return found


def _start(scene: list[Part], rng: np.random.Generator, words: np.random.Generator | None) -> list[Question]:
    # What goes on under the others begins with the scene, which everybody would guess.
    later = overlapping(scene) or rng.random() < 0.6  # noqa: PLR2004 - else "right away" would be a good guess
    found = []
    for part in scene[1:] if later else scene:
        # All moments: any smaller choice would tell, since scenes begin early and most sounds with them.
        right = templates.moment(part.start)
        shorts = [right, *(moment for moment in map(templates.moment, _MOMENTS) if moment != right)]
        found.append(
            _asked("start", templates.question("start", words, heard=part.name.heard), shorts, rng, (part.name,))
        )
    return found


def _order(scene: list[Part], rng: np.random.Generator, words: np.random.Generator | None) -> Question:
    orders = list(permutations(part.name.heard for part in scene))
    wrong = [orders[1 + int(n)] for n in rng.permutation(len(orders) - 1)]
    shorts = [templates.then(order) for order in (orders[0], *wrong[: _CHOICES - 1])]
    return _asked("order", templates.question("order", words), shorts, rng)


def _asked(
    kind: str, question: str, shorts: Sequence[str], rng: np.random.Generator, subjects: tuple[Name, ...] = ()
) -> Question:
    """The question with its choices in random order; the first of `shorts` is right."""
    sentences = [templates.answer(kind, answer=short) for short in shorts]
    shuffled = tuple(sentences[int(n)] for n in rng.permutation(len(sentences)))
    return Question(kind, question, shorts[0], sentences[0], shuffled, subjects)


def _one(items: Sequence[Item], rng: np.random.Generator) -> Item | None:
    return items[int(rng.integers(len(items)))] if items else None


def alone(clip: CodeClip, rng: np.random.Generator, code_rate: float) -> CodeClip:
    """One sound of a scene, with some of the quiet before and after it.

    Args:
        clip: a scene; it stays as it is where its sounds are heard together.
        rng: chooses the sound and how much is left around it.
        code_rate: codes a second.
    """
    scene = parts(clip.events, clip.ontology)
    if len(scene) < 2 or overlapping(scene):  # noqa: PLR2004 - nothing to cut off, or no place to cut
        return clip
    number = int(rng.integers(len(scene)))
    part = scene[number]
    quiet_from = scene[number - 1].end if number else 0.0
    quiet_to = scene[number + 1].start if number + 1 < len(scene) else clip.seconds
    start = rng.uniform(max(quiet_from, part.start - _AROUND_SECONDS), part.start)
    end = rng.uniform(part.end, max(part.end, min(quiet_to, part.end + _AROUND_SECONDS)))
    first, last = int(start * code_rate), int(np.ceil(end * code_rate))
    shift = first / code_rate
    events = tuple(
        replace(event, start=event.start - shift, end=event.end - shift)
        for event in clip.events
        if part.start <= event.start < part.end
    )
    return replace(
        clip,
        codes=clip.codes[first:last],
        seconds=min(last / code_rate, clip.seconds) - shift,
        sounding=(part.start - shift, part.end - shift),
        events=events,
    )
