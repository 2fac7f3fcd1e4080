"""Encoded clips, and chats without any, as conversations to learn from, by task.

Example number `n` depends on the seed and on `n` alone, as crops do. What is asked about a clip follows from its label
where the label is to be trusted (`sounds.py`), and from its events where it is a scene.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.data import phrasings
from makesomenoise.data.chat import Chat
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.mixture import Mixture
from makesomenoise.data.named import NamedClips, label_of
from makesomenoise.data.questions import others
from makesomenoise.data.scene_tasks import SceneTasks
from makesomenoise.data.sounds import NOISY, Name
from makesomenoise.data.turns import heard, made
from makesomenoise.errors import DataError
from makesomenoise.language.prompts import Sound, Turn

_MOST_CHOICES = 10
_MOST_TRIES = 20
_WRITTEN_SHARE = 0.15
_SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,'-]+\.?")


class ExamplesError(DataError):
    """Clips that no example can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Conversation:
    """One example.

    Attributes:
        task: a task of `Mixture`.
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
        mixture: Mixture | None = None,
        seed: int = 0,
        chats: Sequence[Chat] = (),
    ):
        self.mixture = mixture or Mixture()
        self._chats = chats
        self._rate, self._seed = code_rate, seed
        self._scenes = SceneTasks(clips, code_rate, self.mixture)
        self._any = [clip for clip in clips if not clip.events and clip.seconds > 1.5]  # noqa: PLR2004 - two halves
        self._named = NamedClips([clip for clip in clips if not clip.events], self.mixture.exact_share)
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
        named = dict.fromkeys(("caption", "classify", "choose", "presence", "generate"), bool(self._named))
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
        # Titles of collections named by file are paths in other words.
        texts = clip.captions if clip.dataset in NOISY else (clip.title, *clip.captions)
        written = [text for text in texts if _fits(text, name)]
        if written and rng.random() < _WRITTEN_SHARE:
            text = phrasings.capital(written[int(rng.integers(len(written)))].removesuffix(".") + ".")
        else:
            text = phrasings.answer("caption", rng, heard=name.heard, happens=name.happens)
        return heard(self._excerpt(clip, rng), phrasings.question("caption", rng), text, rng)

    def _classify(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        return heard(self._excerpt(clip, rng), phrasings.question("classify", rng), label_of(clip, name), rng)

    def _choose(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        right = label_of(clip, name)
        wrong = self._named.labels(clip.dataset) - {right}
        count = int(rng.integers(2, _MOST_CHOICES))
        pool = sorted(wrong) if len(wrong) >= count else [other.name for other in others([name], count, rng)]
        choices = [right, *(pool[int(n)] for n in rng.choice(len(pool), count, replace=False))]
        shuffled = phrasings.listed([choices[int(n)] for n in rng.permutation(len(choices))])
        return heard(self._excerpt(clip, rng), phrasings.question("choose", rng, choices=shuffled), right, rng)

    def _presence(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        present = bool(rng.random() < 0.5)  # noqa: PLR2004 - even chances
        asked = name if present else self._absent(name, rng)
        question = phrasings.question("presence", rng, heard=asked.heard)
        return heard(self._excerpt(clip, rng), question, phrasings.yes_or_no(present, asked.heard, rng), rng)

    def _generate(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        clip, name = self._named.draw(rng)
        codes = self._asked_for(clip, rng)
        text = (name.heard, name.happens, label_of(clip, name))[int(rng.integers(3))]
        return made(text, codes, self._rate, self.mixture.unconditional, rng)

    def _go_on(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        codes = self._cropped(self._any[int(rng.integers(len(self._any)))], rng, self.mixture.longest_seconds)
        seconds = rng.integers(1, max(int(len(codes) / self._rate * 1.6), 1) + 1) / 2
        count = min(self._codes_in(seconds), len(codes) - 1)
        question = phrasings.question("go_on", rng, length=phrasings.length(count / self._rate))
        return Turn("user", (Sound(codes[:-count]), question)), Turn("assistant", (Sound(codes[-count:]),))

    def _chat(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        chat = self._chats[int(rng.integers(len(self._chats)))]
        if rng.random() < 0.5:  # noqa: PLR2004 - even chances
            return (Turn("text", (chat.answer,)),)
        return Turn("user", (chat.question,)), Turn("assistant", (chat.answer,))

    def _absent(self, name: Name, rng: np.random.Generator) -> Name:
        """A name that is asked for where another sounds, drawn as those that sound are."""
        for _ in range(_MOST_TRIES):
            other = self._named.draw(rng)[1]
            if other.group != name.group:
                return other
        return others([name], 1, rng)[0]

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
