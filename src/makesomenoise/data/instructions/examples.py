"""Encoded clips, and chats without any, as conversations to learn from, by task.

Example number `n` depends on the seed and on `n` alone, as crops do. What is asked about a clip follows from its label
where the label is to be trusted (`ontology.py`), and from its events where it is a scene.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from makesomenoise.config import Config
from makesomenoise.data.codes import CodeClip, CodeClips
from makesomenoise.data.instructions import scene_qa, templates
from makesomenoise.data.instructions.scene_qa import (
    TYPES,
    Question,
    all_questions,
    alone,
    described,
    heard_in,
    level_questions,
    others,
    parts,
    timeline,
    untold,
)
from makesomenoise.data.instructions.templates import heard, made, with_sound
from makesomenoise.data.instructions.text_only import Chat
from makesomenoise.data.ontology import Name
from makesomenoise.errors import DataError
from makesomenoise.language.prompts import Sound, Turn

_MOST_CHOICES = 10
_MOST_TRIES = 20
_WRITTEN_SHARE = 0.15
_SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,'-]+\.?")


class TaskWeights(Config):
    """How often each task comes, relative to the others, and what its examples are like.

    Attributes:
        caption: describe a clip.
        classify: name a clip.
        choose: name a clip, given a list of names.
        presence: say whether something is heard.
        generate: text to sound of a given length.
        go_on: continue a sound.
        scene_caption: describe a scene.
        scene_question: answer a question about a scene.
        scene_timeline: say what starts in which second of a scene.
        scene_generate: text to a scene.
        chat: words alone, half of the time an answer without its question; counts only where there are chats.
        question_types: the questions that are asked about scenes, `level` (how loud each sound is) only where it is
            named; scenes that answer none of them are hardly ever drawn.
        types_share: share of the conversations that ask those types alone; the others ask all. What is hard to learn,
            as numbers are, takes many answers close together and is soon forgotten without any.
        follow_ups: the most further questions about the same scene, in the same conversation.
        unconditional: share of the requests for a named sound or a scene that ask for nothing but a length: guidance
            compares with these.
        single_sound_fraction: share of the scenes that are cut down to one of their sounds before they are described,
            asked about or made, so that single sounds too are told whole.
        hard_share: share of the absent sounds that are of the group of what sounds, which are easily confused with it.
        none_share: share of the lists to choose from that lack the right name, so that none of them is the answer.
        whole_share: share of the captions for which all of a clip is heard, however long: one sound that goes on for
            long is not a scene.
        exact_share: share of the named clips drawn from collections that were labelled by hand.
        longest_seconds: longer clips are cropped to this; scenes are not.
    """

    caption: float = 1.0
    classify: float = 2.0
    choose: float = 1.0
    presence: float = 1.0
    generate: float = 2.0
    go_on: float = 0.5
    scene_caption: float = 1.0
    scene_question: float = 2.0
    scene_timeline: float = 0.5
    scene_generate: float = 1.0
    chat: float = 0.5
    question_types: tuple[scene_qa.LearnedType, ...] = scene_qa.TYPES
    types_share: float = 1.0
    follow_ups: int = 3
    unconditional: float = 0.1
    single_sound_fraction: float = 0.3
    hard_share: float = 0.0
    none_share: float = 0.0
    whole_share: float = 0.0
    exact_share: float = 0.75
    longest_seconds: float = 5.0


class NamedClips:
    """The clips that have a name, drawn so that rare sounds are heard too.

    Args:
        clips: any.
        exact_share: share of the draws that go to collections labelled by hand.
    """

    def __init__(self, clips: Sequence[CodeClip], exact_share: float):
        self._clips = CodeClips.of(clips)
        groups: dict[tuple[bool, str], list[int]] = defaultdict(list)
        alike: dict[str, dict[Name, None]] = defaultdict(dict)
        exact_clips = self._clips.column("trust") == "exact"
        for place, name in enumerate(self._clips.names()):
            if name is not None:
                groups[bool(exact_clips[place]), name.name].append(place)
                alike[name.group][name] = None
        self._alike = {group: tuple(names) for group, names in alike.items()}
        self._groups = {key: np.array(places, np.int64) for key, places in groups.items()}
        self._labels = _labels(self._clips.where(exact_clips))
        self._keys = sorted(self._groups)
        weights = np.sqrt([len(self._groups[key]) for key in self._keys])
        exact = np.array([key[0] for key in self._keys], dtype=bool)
        if exact.any() and not exact.all():
            weights = (
                np.where(exact, exact_share / weights[exact].sum(), (1 - exact_share) / weights[~exact].sum()) * weights
            )
        self._weights = weights / weights.sum() if len(weights) else weights

    def __bool__(self) -> bool:
        return bool(self._keys)

    def draw(self, rng: np.random.Generator) -> tuple[CodeClip, Name]:
        """A clip and its name."""
        group = self._groups[self._keys[int(rng.choice(len(self._keys), p=self._weights))]]
        clip = self._clips[int(group[int(rng.integers(len(group)))])]
        return clip, cast(Name, clip.name)  # only clips with a name are in groups

    def alike(self, name: Name, rng: np.random.Generator) -> Name | None:
        """Another name of the same group that some clip has, or none."""
        found = self._alike[name.group]
        others = [other for other in found if other != name]
        return others[int(rng.integers(len(others)))] if others else None

    def labels(self, clip: CodeClip) -> set[str]:
        """The labels of a clip's collection if it was labelled by hand, which are told apart; of others none."""
        return self._labels[clip.dataset] if clip.trust == "exact" else set()


def _labels(clips: CodeClips) -> dict[str, set[str]]:
    """Labels with a name, by collection."""
    found: dict[str, set[str]] = defaultdict(set)
    for dataset, label, name in zip(clips.column("dataset"), clips.column("label"), clips.names(), strict=True):
        if name is not None:
            found[dataset].add(label)
    return found


def label_of(clip: CodeClip, name: Name, rng: np.random.Generator) -> str:
    """What a clip is called where its name is asked for: by its collection, or by us where labels are rough.

    What people call a sound on their own account is as good a name as ours: both are said, so that names stay open.
    """
    own = clip.trust == "exact" or (clip.trust == "claimed" and rng.random() < 0.5)  # noqa: PLR2004 - even chances
    return clip.label if own else name.name


class ExamplesError(DataError):
    """Clips that no example can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Conversation:
    """One example.

    Attributes:
        task: a task of `TaskWeights`.
        turns: what is said; the last turn is the one to learn.
    """

    task: str
    turns: tuple[Turn, ...]


class Examples:
    """Endless conversations about clips, with chats between them.

    Args:
        clips: encoded clips and scenes.
        code_rate: codes a second.
        mixture: how often each task comes.
        seed: the same seed gives the same examples.
        chats: questions and answers without any sound.

    Raises:
        ExamplesError: if there are no clips or chats for any task that is asked for.
    """

    def __init__(
        self,
        clips: Sequence[CodeClip],
        code_rate: float,
        mixture: TaskWeights | None = None,
        seed: int = 0,
        chats: Sequence[Chat] = (),
    ):
        self.mixture = mixture or TaskWeights()
        self._chats = chats
        self._rate, self._seed = code_rate, seed
        clips = CodeClips.of(clips)
        single = clips.column("events") == 0
        self._ontology = clips.ontology
        self._scenes = SceneTasks(clips, code_rate, self.mixture)
        self._any = clips.where(single & (clips.column("seconds") > 1.5))  # noqa: PLR2004 - two halves
        self._named = NamedClips(clips.where(single), self.mixture.exact_share)
        sure = single & (clips.column("trust") != "guessed")  # what a network told is described and named, no more
        self._sure = NamedClips(clips.where(sure), self.mixture.exact_share)
        weights = {task: getattr(self.mixture, task) for task, enough in self._tasks().items() if enough}
        total = sum(weights.values())
        if total <= 0:
            raise ExamplesError("None of these clips fits a task of the mixture: there are no labels and no scenes.")
        self.tasks = {task: weight / total for task, weight in weights.items() if weight > 0}

    def __getitem__(self, number: int) -> Conversation:
        """Conversation `number`."""
        rng = np.random.default_rng([self._seed, number])
        return self._made(str(rng.choice(list(self.tasks), p=list(self.tasks.values()))), rng)

    def example(self, task: str, number: int) -> Conversation:
        """Conversation `number` of one task."""
        return self._made(task, np.random.default_rng([self._seed, number, 1]))

    def _tasks(self) -> dict[str, bool]:
        """For each task, whether there are clips or chats for it."""
        named = dict.fromkeys(("caption", "classify"), bool(self._named))
        named |= dict.fromkeys(("choose", "presence", "generate"), bool(self._sure))
        scenes = dict.fromkeys(
            ("scene_caption", "scene_question", "scene_timeline", "scene_generate"), bool(self._scenes)
        )
        return named | {"go_on": bool(self._any)} | scenes | {"chat": bool(self._chats)}

    def _made(self, task: str, rng: np.random.Generator) -> Conversation:
        makers: dict[str, Callable[[np.random.Generator], tuple[Turn, ...]]] = {
            "caption": self._caption,
            "classify": self._classify,
            "choose": self._choose,
            "presence": self._presence,
            "generate": self._generate,
            "go_on": self._go_on,
            "scene_caption": self._scenes.caption,
            "scene_question": self._scenes.question,
            "scene_timeline": self._scenes.timeline,
            "scene_generate": self._scenes.generate,
            "chat": self._chat,
        }
        return Conversation(task, makers[task](rng))

    def _caption(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        texts = (clip.title, *clip.captions) if clip.has_written_title else clip.captions
        written = [text for text in texts if _fits(text, name)]
        if written and rng.random() < _WRITTEN_SHARE:
            text = templates.capital(written[int(rng.integers(len(written)))].removesuffix(".") + ".")
        else:
            kind = "guess" if clip.trust == "guessed" else "caption"
            text = templates.answer(kind, rng, heard=name.heard, happens=name.happens)
        codes = clip.codes if rng.random() < self.mixture.whole_share else self._excerpt(clip, rng)
        return heard(codes, templates.question("caption", rng), text, rng)

    def _classify(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        return heard(self._excerpt(clip, rng), templates.question("classify", rng), label_of(clip, name, rng), rng)

    def _choose(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._sure.draw(rng)
        right = label_of(clip, name, rng)
        wrong = self._wrong(clip, name, right, int(rng.integers(2, _MOST_CHOICES)), rng)
        none = rng.random() < self.mixture.none_share
        choices = wrong if none else [right, *wrong]
        shuffled = templates.listed([choices[int(n)] for n in rng.permutation(len(choices))])
        answer = templates.NONE_OF_THESE if none else right
        return heard(self._excerpt(clip, rng), templates.question("choose", rng, choices=shuffled), answer, rng)

    def _wrong(self, clip: CodeClip, name: Name, right: str, count: int, rng: np.random.Generator) -> list[str]:
        """Labels that are not that of a clip: of its collection, or as other clips are called."""
        own = sorted(self._sure.labels(clip) - {right})
        if len(own) >= count:
            return [own[int(n)] for n in rng.choice(len(own), count, replace=False)]
        found: dict[str, None] = {}
        for _ in range(_MOST_TRIES):
            other, absent = self._sure.draw(rng)
            if absent.group != name.group or (absent != name and rng.random() < self.mixture.hard_share):
                found[label_of(other, absent, rng)] = None
        found |= dict.fromkeys(other.name for other in others([name], count, rng, self._ontology))
        return [label for label in found if label != right][:count]

    def _presence(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._sure.draw(rng)
        present = bool(rng.random() < 0.5)  # noqa: PLR2004 - even chances
        asked = name if present else self._absent(name, rng)
        question = templates.question("presence", rng, heard=asked.heard)
        return heard(self._excerpt(clip, rng), question, templates.yes_or_no(present, asked.heard, rng), rng)

    def _generate(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._sure.draw(rng)
        codes = self._asked_for(clip, rng)
        text = (name.heard, name.happens, label_of(clip, name, rng))[int(rng.integers(3))]
        return made(text, codes, self._rate, self.mixture.unconditional, rng)

    def _go_on(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        codes = self._cropped(self._any[int(rng.integers(len(self._any)))], rng, self.mixture.longest_seconds)
        seconds = rng.integers(1, max(int(len(codes) / self._rate * 1.6), 1) + 1) / 2
        count = min(self._codes_in(seconds), len(codes) - 1)
        question = templates.question("go_on", rng, length=templates.length(count / self._rate))
        return Turn("user", (Sound(codes[:-count]), question)), Turn("assistant", (Sound(codes[-count:]),))

    def _chat(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        chat = self._chats[int(rng.integers(len(self._chats)))]
        if rng.random() < 0.5:  # noqa: PLR2004 - even chances
            return (Turn("text", (chat.answer,)),)
        return Turn("user", (chat.question,)), Turn("assistant", (chat.answer,))

    def _absent(self, name: Name, rng: np.random.Generator) -> Name:
        """A name that is asked for where another sounds, drawn as those that sound are."""
        alike = self._sure.alike(name, rng) if rng.random() < self.mixture.hard_share else None
        if alike is not None:
            return alike
        for _ in range(_MOST_TRIES):
            other = self._sure.draw(rng)[1]
            if other.group != name.group:
                return other
        return others([name], 1, rng, self._ontology)[0]

    def _codes_in(self, seconds: float) -> int:
        return max(int(np.ceil(seconds * self._rate)), 1)

    def _excerpt(self, clip: CodeClip, rng: np.random.Generator) -> tuple[int, ...]:
        """What is heard of a clip: half the time all of it, up to the longest length; else a piece where it sounds."""
        if rng.random() < 0.5:  # noqa: PLR2004 - even chances
            return clip.codes[: self._codes_in(self.mixture.longest_seconds)]
        return self._cropped(clip, rng, float(rng.uniform(1.0, self.mixture.longest_seconds)))

    def _cropped(self, clip: CodeClip, rng: np.random.Generator, seconds: float) -> tuple[int, ...]:
        """A piece of at most `seconds` of what sounds in a clip."""
        first = int(clip.sounding[0] * self._rate)
        last = max(int(np.ceil(clip.sounding[1] * self._rate)), first + 1)
        codes = clip.codes[first:last] or clip.codes
        skip = int(rng.integers(0, max(len(codes) - self._codes_in(seconds), 0) + 1))
        return codes[skip : skip + self._codes_in(seconds)]

    def _asked_for(self, clip: CodeClip, rng: np.random.Generator) -> tuple[int, ...]:
        """Codes of a sound of half seconds' length, or all of a shorter one; it begins where the clip does."""
        codes = clip.codes[int(clip.sounding[0] * self._rate) :] or clip.codes
        audible = int(np.ceil((clip.sounding[1] - clip.sounding[0]) * self._rate))
        room = min(len(codes) if rng.random() < 0.3 else max(audible, 1), len(codes))  # noqa: PLR2004 - with the rest
        halves = int(min(room / self._rate, self.mixture.longest_seconds) * 2)
        if halves == 0:
            return codes[:room]
        return codes[: self._codes_in(int(rng.integers(-(-halves // 2), halves + 1)) / 2)]


def _fits(text: str, name: Name) -> bool:
    """Whether a written caption reads like one and speaks of the named sound."""
    words = text.lower().split()
    stems = {word[:4] for word in f"{name.name} {name.heard}".split() if len(word) > 3}  # noqa: PLR2004 - not "the"
    speaks = any(word[:4] in stems for word in words)
    return 4 <= len(words) <= 14 and speaks and _SENTENCE.fullmatch(text) is not None  # noqa: PLR2004 - words


class SceneTasks:
    """Conversations about scenes; false if there are none.

    Args:
        clips: those that are no scenes are left out.
        code_rate: codes a second.
        mixture: what examples are like.
    """

    def __init__(self, clips: Sequence[CodeClip], code_rate: float, mixture: TaskWeights):
        clips = CodeClips.of(clips)
        self._scenes = clips.where(clips.column("events") > 0)
        self._rate, self._mixture = code_rate, mixture
        # As often as they are heard, so that a name alone does not tell whether it is there.
        self._heard = heard_in(self._scenes)

    def __bool__(self) -> bool:
        return bool(self._scenes)

    def caption(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """What happens, in one sentence."""
        clip = self._some(rng)
        text = templates.capital(described(parts(clip.events, clip.ontology))) + "."
        return heard(clip.codes, templates.question("caption", rng), text, rng)

    def question(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """Questions of the types that the mixture asks, and their answers, in one conversation."""
        count = 1 + int(rng.integers(self._mixture.follow_ups + 1))
        clip, questions = self._questions(rng)
        turns: tuple[Turn, ...] = ()
        for question in untold(questions, rng)[:count]:
            answer = Turn("assistant", (templates.answer(question.type, rng, answer=question.short),))
            said = (question.question,) if turns else with_sound(clip.codes, question.question, rng)
            turns += Turn("user", said), answer
        return turns

    def timeline(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """What starts in which second of a whole scene."""
        clip = self._whole(rng)
        return heard(clip.codes, templates.question("timeline", rng), timeline(clip.events, clip.ontology), rng)

    def generate(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """Text to a scene."""
        clip = self._some(rng)
        return made(
            described(parts(clip.events, clip.ontology)), clip.codes, self._rate, self._mixture.unconditional, rng
        )

    def _questions(self, rng: np.random.Generator) -> tuple[CodeClip, list[Question]]:
        """A scene and what it is to be asked: all there is where no scene that is drawn answers the wanted types."""
        types = self._mixture.question_types if rng.random() < self._mixture.types_share else TYPES
        for _ in range(_MOST_TRIES):
            clip = self._some(rng)
            wanted = self._of(types, clip, rng)
            if wanted:
                return clip, wanted
        clip = self._some(rng)
        return clip, self._of(TYPES, clip, rng)

    def _of(self, types: Sequence[str], clip: CodeClip, rng: np.random.Generator) -> list[Question]:
        found = all_questions(clip, rng, self._heard, varied=True)
        levels = level_questions(clip, rng) if "level" in types else []
        return [*(question for question in found if question.type in types), *levels]

    def _whole(self, rng: np.random.Generator) -> CodeClip:
        return self._scenes[int(rng.integers(len(self._scenes)))]

    def _some(self, rng: np.random.Generator) -> CodeClip:
        clip = self._whole(rng)
        return alone(clip, rng, self._rate) if rng.random() < self._mixture.single_sound_fraction else clip
