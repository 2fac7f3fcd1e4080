"""How well sounds made from text are what was asked for: do the event classifier and outside ears hear it in them?

Always three rows: real clips, the same clips through the tokenizer, and what the model made. The second is what a
perfect language model could reach. What a listener heard is JSON until it is summed up, so that it can be kept.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from makesomenoise.audio.level import USUAL_DB
from makesomenoise.audio.mel import LogMel
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.jobs import SCENES
from makesomenoise.data.questions import described, parts
from makesomenoise.data.scenes import SceneError, SceneMaker
from makesomenoise.data.sounds import find
from makesomenoise.evaluation.cache import Parts
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.event_classifier import EventClassifier
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import Sampling
from makesomenoise.metrics import bootstrap_error, diversity, fit_gaussian, frechet_distance, mean_pairwise_distance
from makesomenoise.pipeline import AudioLanguageModel


class Originals:
    """Waveforms of the validation clips of a corpus, and of scenes made from them.

    Args:
        corpus: the clips, in the order in which `msn data encode` has read them.
        sample_rate: of the waveforms, Hz.
    """

    def __init__(self, corpus: Corpus, sample_rate: int):
        trusted = [clip for clip in corpus.valid if find(clip.label, clip.dataset)]
        self._numbers = {clip.key: number for number, clip in enumerate(corpus.valid)}
        self._store = ClipStore(corpus.valid, sample_rate, corpus.cache)
        try:
            self._maker = SceneMaker(ClipStore(trusted, sample_rate, corpus.cache))
        except SceneError:
            self._maker = None

    def find(self, clip: CodeClip) -> Tensor | None:
        """The waveform [S] of a clip or scene, or nothing if the corpus does not have it."""
        if clip.events:
            return self._scene(clip)
        number = self._numbers.get(clip.key)
        return None if number is None else torch.from_numpy(self._store.waveform(number))

    def _scene(self, clip: CodeClip) -> Tensor | None:
        name, *numbers = clip.key.split("-")
        if self._maker is None or name != SCENES or not all(number.isdigit() for number in numbers):
            return None
        made = self._maker.make(np.random.default_rng([int(number) for number in numbers]))
        return torch.from_numpy(made.waveform) if made.events == clip.events else None


_TOP = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound.

    Attributes:
        wanted: names of what was asked for.
        names: the five names that are heard first.
        frames: features [F, E]: one vector of the classifier, or an ear's embedding of each window.
    """

    wanted: tuple[str, ...]
    names: tuple[str, ...]
    frames: np.ndarray

    @classmethod
    def of(cls, wanted: Sequence[str], said: Mapping) -> Self:
        """What a listener said of a sound, given what was wanted."""
        frames = _unpacked(said["frames"]) if "frames" in said else np.array([said["features"]], np.float32)
        return cls(tuple(wanted), tuple(said["names"]), frames)


@dataclass(frozen=True, slots=True)
class Row:
    """What a listener makes of sounds of one kind; shares are 0 to 1.

    Attributes:
        sounds: how many.
        top1: share in which what it hears first was asked for.
        top1_error: its standard error, by bootstrap.
        any5: share in which some of what was asked for is among the five it hears first.
        all5: share in which all of it is; the same as `any5` where one thing is asked for.
        frechet_distance: between its frames and those of other real clips; None if there are too few.
        diversity: mean distance of features between sounds of one text; between all, if each text has one sound.
    """

    sounds: int
    top1: float
    top1_error: float
    any5: float
    all5: float
    frechet_distance: float | None
    diversity: float | None


class Listener:
    """The event classifier as judge of sounds.

    Args:
        classifier: names sounds.
        task: the names it may say; those of one meaning count as one: a dog bark is a dog.
    """

    def __init__(self, classifier: EventClassifier, task: str):
        self._classifier, self._task = classifier, task
        self._names = [_meaning(name) for name in classifier.config.tasks[task]]
        self._mel = LogMel(classifier.config.mel)

    @property
    def names(self) -> set[str]:
        """What it can hear."""
        return set(self._names)

    @torch.inference_mode()
    def hear(self, waveform: Tensor) -> dict:
        """The names and features of a waveform [S], as JSON takes them."""
        judged = self._classifier.judge([self._mel(waveform[None].float().cpu())[0]])
        names = _first(self._names, judged.scores[self._task][0])
        return {"names": names, "features": [round(value, 4) for value in judged.features[0].tolist()]}


class EarListener:
    """An outside ear as judge of sounds, by the names of one dataset.

    Args:
        judge: an ear that has learned the dataset.
        dataset: whose names it may say; those of one meaning count as one.
        sample_rate: of the sounds, Hz.
    """

    def __init__(self, judge: EarJudge, dataset: str, sample_rate: int):
        self.name, self.identity = judge.name, [*judge.identity, dataset]
        self._judge, self._linear, self._rate = judge, judge.judges[dataset], sample_rate
        self._names = [_meaning(name) for name in self._linear.names]

    def hear(self, waveform: Tensor) -> dict:
        """The names and frames of a waveform [S], as JSON takes them."""
        frames = self._judge.listen(waveform.float().cpu(), self._rate)
        return {"names": _first(self._names, self._linear.scores([frames])[0]), "frames": _packed(frames)}


def row(heard: Sequence[Heard], others: Sequence[Heard]) -> Row:
    """Sums up what was heard.

    Args:
        heard: at least one sound.
        others: other real clips.
    """
    features = torch.from_numpy(np.stack([one.frames.mean(0) for one in heard]))
    texts = list(dict.fromkeys(one.wanted for one in heard))
    within = diversity(features, torch.tensor([texts.index(one.wanted) for one in heard]))
    enough = min(len(heard), len(others)) > 1
    frames = [torch.from_numpy(np.concatenate([one.frames for one in side])) for side in (heard, others) if enough]
    return Row(
        sounds=len(heard),
        top1=_share(heard, lambda one: one.names[0] in one.wanted),
        top1_error=bootstrap_error(torch.tensor([one.names[0] in one.wanted for one in heard])),
        any5=_share(heard, lambda one: any(name in one.names for name in one.wanted)),
        all5=_share(heard, lambda one: all(name in one.names for name in one.wanted)),
        frechet_distance=frechet_distance(*map(fit_gaussian, frames)) if enough else None,
        diversity=mean_pairwise_distance(features) if within is None and len(heard) > 1 else within,
    )


def _share(heard: Sequence[Heard], holds: Callable[[Heard], bool]) -> float:
    return sum(map(holds, heard)) / len(heard)


def _meaning(name: str) -> str:
    found = find(name)
    return found.name if found else name


def _first(names: list[str], scores: Tensor) -> list[str]:
    """The best of names by their scores [names], each once."""
    order = scores.argsort(descending=True).tolist()
    return list(dict.fromkeys(names[number] for number in order))[:_TOP]


def _packed(frames: np.ndarray) -> list:
    """Frames [F, E] as JSON takes them: in base64, which is half as long as numbers."""
    return [list(frames.shape), base64.b64encode(frames.astype("<f4").tobytes()).decode()]


def _unpacked(packed: Sequence) -> np.ndarray:
    shape, text = packed
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape).astype(np.float32)


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
            return self._model.render(Sound(tuple(codes)), seed=self._seed, level_db=level_db)

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
            return [[list(each.sound.codes) for each in made]]

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
