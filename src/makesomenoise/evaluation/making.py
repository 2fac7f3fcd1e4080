"""How well sounds made from text are what was asked for: do the event classifier and outside ears hear it in them?

Always three rows: real clips, the same clips through the tokenizer, and what the model made. The second is what a
perfect language model could reach.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from makesomenoise.audio.level import USUAL_DB
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import described, parts
from makesomenoise.evaluation.originals import Originals
from makesomenoise.evaluation.parts import Parts
from makesomenoise.evaluation.verdicts import EarListener, Heard, Listener, Row, row
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import Sampling
from makesomenoise.pipeline import AudioLanguageModel

CLASSIFIER = "event classifier"
REAL, ROUND_TRIP, MADE = "real clips", "the same through the tokenizer", "made from text"
_SEEDS_APART = 1000
_EARS = "ears"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One text to make sounds from.

    Attributes:
        text: what is asked for.
        seconds: length of each sound.
        sounds: how many to make.
        names: what the classifier should hear, of its names.
        clips: real clips of it.
    """

    text: str
    seconds: float
    sounds: int
    names: tuple[str, ...]
    clips: tuple[CodeClip, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Texts to make sounds from, and what they are compared with.

    Attributes:
        name: for the report.
        wanted: the texts.
        others: further real clips, with which features are compared.
    """

    name: str
    wanted: tuple[Wanted, ...]
    others: tuple[CodeClip, ...]


def names_task(clips: Sequence[CodeClip], names: Sequence[str], sounds: int, seconds: float) -> Task:
    """The names of a dataset as texts, each with its first clips; the clips after them are the others.

    Args:
        clips: of the dataset.
        names: what is asked for.
        sounds: how many of each.
        seconds: length of each.
    """
    own = {name: [clip for clip in clips if clip.label == name] for name in names}
    wanted = (Wanted(name, seconds, sounds, (name,), tuple(own[name][:sounds])) for name in names)
    return Task("names", tuple(wanted), tuple(clip for name in names for clip in own[name][sounds : 2 * sounds]))


def scenes_task(clips: Sequence[CodeClip], known: set[str], count: int, code_rate: float) -> Task:
    """The first scenes as texts, one sound of each; the scenes after them are the others.

    Args:
        clips: those that are no scenes, or in which something sounds that the classifier has no name for, are left out.
        known: names of the classifier.
        count: how many scenes.
        code_rate: codes a second.
    """
    scenes = [clip for clip in clips if clip.events and {event.label for event in clip.events} <= known]
    wanted = tuple(
        Wanted(
            text=described(parts(scene.events)),
            seconds=round(len(scene.codes) / code_rate, 1),
            sounds=1,
            names=tuple(dict.fromkeys(event.label for event in scene.events)),
            clips=(scene,),
        )
        for scene in scenes[:count]
    )
    return Task("scenes", wanted, tuple(scenes[count : 2 * count]))


class Maker:
    """Makes the sounds of a task and has them judged.

    Args:
        model: makes sounds.
        originals: has the real clips.
        kept: keeps what was made and heard.
        about: the models that decide on what is heard in given codes, as JSON takes them.
        seed: the same seed makes the same sounds.
    """

    def __init__(self, model: AudioLanguageModel, originals: Originals, kept: Parts, about: object, seed: int = 0):
        self._model, self._originals = model, originals
        self._kept, self._about, self._seed = kept, about, seed

    def rows(
        self, task: Task, listener: Listener, sampling: Sampling, ears: Sequence[EarListener] = ()
    ) -> dict[str, dict[str, Row]]:
        """The three rows by name, of each listener; that of real clips is left out if the corpus lacks some of them.

        Args:
            task: at least one text.
            listener: judges.
            sampling: how codes are drawn.
            ears: judge too.

        Returns:
            Rows by the name of the ear, then those of the classifier.
        """

        def decoded(codes: Sequence[int], level_db: float | None = None) -> Tensor:
            return torch.from_numpy(self._model.render(Sound(tuple(codes)), seed=self._seed, level_db=level_db))

        clips = [(one.names, clip) for one in task.wanted for clip in one.clips]
        made = [(one.names, codes) for one, found in self._made(task, sampling) for codes in found]
        sounds = {
            ROUND_TRIP: ([(names, clip.codes) for names, clip in clips], decoded),
            MADE: (made, partial(decoded, level_db=USUAL_DB)),  # as `AudioLanguageModel.generate` gives them
        }
        if all(self._originals.find(clip) is not None for _, clip in clips):
            sounds = {REAL: (clips, self._originals.find), **sounds}
        present = [((), clip) for clip in task.others if self._originals.find(clip) is not None]
        others = self._heard(f"{task.name} others", listener, ears, present, self._originals.find)
        heard = {
            name: self._heard(f"{task.name} {name}", listener, ears, items, sound)
            for name, (items, sound) in sounds.items()
            if items
        }
        return {who: {name: row(by[who], others[who]) for name, by in heard.items()} for who in others}

    def _made(self, task: Task, sampling: Sampling) -> Iterable[tuple[Wanted, list[list[int]]]]:
        """Codes of the sounds of each text."""

        def composed(some: Sequence[tuple[int, Wanted]]) -> list:
            ((number, one),) = some
            own = _SEEDS_APART * self._seed + number
            made = self._model.compose(one.text, one.seconds, own, sampling, one.sounds)
            return [[list(sound.codes) for sound in made]]

        about = [self._seed, asdict(sampling), [(one.text, one.seconds, one.sounds) for one in task.wanted]]
        codes = self._kept.each(f"{task.name} codes {MADE}", about, list(enumerate(task.wanted)), composed)
        return zip(task.wanted, codes, strict=True)

    def _heard(
        self, name: str, listener: Listener, ears: Sequence[EarListener], items: Sequence[tuple], sound: Callable
    ) -> dict[str, list[Heard]]:
        """What each listener hears in sounds, each sound given with the names that are wanted and made once."""

        def judged(some: Sequence[tuple]) -> list:
            waveforms = [sound(item) for _, item in some]
            return [listener.hear(one) | {_EARS: {ear.name: ear.hear(one) for ear in ears}} for one in waveforms]

        keys = [item.key if isinstance(item, CodeClip) else list(item) for _, item in items]
        about = [self._about, self._seed, keys, *(ear.identity for ear in ears)]
        said = list(zip(items, self._kept.each(name, about, items, judged), strict=True))
        by_ear = {ear.name: [Heard.of(wanted, one[_EARS][ear.name]) for (wanted, _), one in said] for ear in ears}
        return by_ear | {CLASSIFIER: [Heard.of(wanted, one) for (wanted, _), one in said]}
