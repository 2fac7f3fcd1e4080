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

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import described, parts
from makesomenoise.data.ontology import Ontology
from makesomenoise.data.scenes import SceneError, SceneMaker
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.event_classifier import EventClassifier
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import Sampling
from makesomenoise.metrics import bootstrap_error, diversity, fit_gaussian, frechet_distance, mean_pairwise_distance
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.pipeline import AS_CODED, USUAL, AudioLanguageModel, Generation


class Originals:
    """Waveforms of the validation clips of a corpus, and of scenes made from them.

    Args:
        corpus: the clips, in the order in which `msn data encode` has read them.
        sample_rate: of the waveforms, Hz.
        ontology: names what scenes were made of.
    """

    def __init__(self, corpus: Corpus, sample_rate: int, ontology: Ontology):
        trusted = [clip for clip in corpus.valid if ontology.find(clip.label, clip.trust)]
        self._numbers = {clip.key: number for number, clip in enumerate(corpus.valid)}
        self._store = ClipStore(corpus.valid, sample_rate, corpus.cache)
        try:
            self._maker = SceneMaker(ClipStore(trusted, sample_rate, corpus.cache), ontology)
        except SceneError:
            self._maker = None

    def find(self, clip: CodeClip) -> Tensor | None:
        """The waveform [S] of a clip or scene, or nothing if the corpus does not have it."""
        if clip.events:
            return self._scene(clip)
        number = self._numbers.get(clip.key)
        return None if number is None else torch.from_numpy(self._store.waveform(number))

    def _scene(self, clip: CodeClip) -> Tensor | None:
        how = clip.provenance
        if self._maker is None or how is None:
            return None
        rng = np.random.default_rng([how.seed, how.number])
        made = self._maker.of_kind(how.kind, rng)
        return torch.from_numpy(made.waveform) if made.events == clip.events else None


_TOP = 5


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a listener recognises in a sound.

    Attributes:
        targets: labels of what was asked for.
        predictions: the five labels that are heard first.
        features: [F, E]: one vector of the classifier, or an ear's embedding of each window.
    """

    targets: tuple[str, ...]
    predictions: tuple[str, ...]
    features: np.ndarray

    @classmethod
    def of(cls, targets: Sequence[str], said: Mapping) -> Self:
        """What a listener said of a sound, given what was asked for."""
        features = _unpacked(said["frames"]) if "frames" in said else np.array([said["features"]], np.float32)
        return cls(tuple(targets), tuple(said["names"]), features)


@dataclass(frozen=True, slots=True)
class GenerationScores:
    """What a listener makes of sounds of one kind; shares are 0 to 1.

    Attributes:
        sounds: how many.
        top1: share in which what it hears first was asked for.
        top1_error: its standard error, by bootstrap.
        any_in_top5: share in which some of what was asked for is among the five it hears first.
        all_in_top5: share in which all of it is; the same as `any_in_top5` where one thing is asked for.
        frechet_distance: between its frames and those of other real clips; None if there are too few.
        diversity: mean distance of features between sounds of one text; between all, if each text has one sound.
    """

    sounds: int
    top1: float
    top1_error: float
    any_in_top5: float
    all_in_top5: float
    frechet_distance: float | None
    diversity: float | None


class ClassifierListener:
    """The event classifier as judge of sounds.

    Args:
        classifier: names sounds.
        task: the names it may say.
        ontology: of its names, those of one meaning count as one: a dog bark is a dog.
    """

    def __init__(self, classifier: EventClassifier, task: str, ontology: Ontology):
        self._classifier, self._task = classifier, task
        self._names = [_meaning(name, ontology) for name in classifier.config.tasks[task]]
        self._mel = LogMel(classifier.config.mel)

    @property
    def names(self) -> set[str]:
        """What it can hear."""
        return set(self._names)

    @torch.inference_mode()
    def hear(self, waveform: Tensor) -> dict:
        """The names and features of a waveform [S], as JSON takes them."""
        heard = self._classifier.classify([self._mel(waveform[None].float().cpu())[0]])
        names = _first(self._names, heard.scores[self._task][0])
        return {"names": names, "features": [round(value, 4) for value in heard.features[0].tolist()]}


class EarListener:
    """An outside ear as judge of sounds, by the names of one dataset.

    Args:
        judge: an ear that has learned the dataset.
        dataset: whose names it may say.
        sample_rate: of the sounds, Hz.
        ontology: of its names, those of one meaning count as one.
    """

    def __init__(self, judge: EarJudge, dataset: str, sample_rate: int, ontology: Ontology):
        self.name, self.identity = judge.name, [*judge.identity, dataset]
        self._judge, self._linear, self._rate = judge, judge.judges[dataset], sample_rate
        self._names = [_meaning(name, ontology) for name in self._linear.names]

    def hear(self, waveform: Tensor) -> dict:
        """The names and frames of a waveform [S], as JSON takes them."""
        frames = self._judge.listen(waveform.float().cpu(), self._rate)
        return {"names": _first(self._names, self._linear.scores([frames])[0]), "frames": _packed(frames)}


def score(heard: Sequence[Recognition], others: Sequence[Recognition]) -> GenerationScores:
    """Sums up what was heard.

    Args:
        heard: at least one sound.
        others: other real clips.
    """
    features = torch.from_numpy(np.stack([one.features.mean(0) for one in heard]))
    texts = list(dict.fromkeys(one.targets for one in heard))
    within = diversity(features, torch.tensor([texts.index(one.targets) for one in heard]))
    enough = min(len(heard), len(others)) > 1
    frames = [torch.from_numpy(np.concatenate([one.features for one in side])) for side in (heard, others) if enough]
    return GenerationScores(
        sounds=len(heard),
        top1=_share(heard, lambda one: one.predictions[0] in one.targets),
        top1_error=bootstrap_error(torch.tensor([one.predictions[0] in one.targets for one in heard])),
        any_in_top5=_share(heard, lambda one: any(name in one.predictions for name in one.targets)),
        all_in_top5=_share(heard, lambda one: all(name in one.predictions for name in one.targets)),
        frechet_distance=frechet_distance(*map(fit_gaussian, frames)) if enough else None,
        diversity=mean_pairwise_distance(features) if within is None and len(heard) > 1 else within,
    )


def _share(heard: Sequence[Recognition], holds: Callable[[Recognition], bool]) -> float:
    return sum(map(holds, heard)) / len(heard)


def _meaning(name: str, ontology: Ontology) -> str:
    found = ontology.find(name)
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
REAL, RECONSTRUCTED, GENERATED = "real clips", "the same through the tokenizer", "made from text"
_SEEDS_APART = 1000
GENERATED_CODES = Measurement("codes generated from", version="1")
HEARD = Measurement("heard in", version="1")
_EARS = "ears"


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """One text to make sounds from.

    Attributes:
        text: what is asked for.
        seconds: length of each sound.
        sounds: how many to make.
        targets: what the classifier should hear, of its labels.
        clips: real clips of it.
    """

    text: str
    seconds: float
    sounds: int
    targets: tuple[str, ...]
    clips: tuple[CodeClip, ...]


@dataclass(frozen=True, slots=True)
class PromptSet:
    """Texts to make sounds from, and what they are compared with.

    Attributes:
        name: for the report.
        prompts: the texts.
        others: further real clips, with which features are compared.
    """

    name: str
    prompts: tuple[TextPrompt, ...]
    others: tuple[CodeClip, ...]


def label_prompts(clips: Sequence[CodeClip], labels: Sequence[str], sounds: int, seconds: float) -> PromptSet:
    """The labels of a dataset as texts, each with its first clips; the clips after them are the others.

    Args:
        clips: of the dataset.
        labels: what is asked for.
        sounds: how many of each.
        seconds: length of each.
    """
    own = {label: [clip for clip in clips if clip.label == label] for label in labels}
    prompts = (TextPrompt(label, seconds, sounds, (label,), tuple(own[label][:sounds])) for label in labels)
    others = (clip for label in labels for clip in own[label][sounds : 2 * sounds])
    return PromptSet("labels", tuple(prompts), tuple(others))


def scene_prompts(clips: Sequence[CodeClip], known: set[str], count: int, code_rate: float) -> PromptSet:
    """The first scenes as texts, one sound of each; the scenes after them are the others.

    Args:
        clips: those that are no scenes, or in which something sounds that the classifier has no label for, are left
            out.
        known: labels of the classifier.
        count: how many scenes.
        code_rate: codes a second.
    """
    scenes = [clip for clip in clips if clip.events and {event.label for event in clip.events} <= known]
    prompts = tuple(
        TextPrompt(
            text=described(parts(scene.events, scene.ontology)),
            seconds=round(len(scene.codes) / code_rate, 1),
            sounds=1,
            targets=tuple(dict.fromkeys(event.label for event in scene.events)),
            clips=(scene,),
        )
        for scene in scenes[:count]
    )
    return PromptSet("scenes", prompts, tuple(scenes[count : 2 * count]))


class GenerationEvaluator:
    """Makes the sounds of prompts and has them judged.

    Args:
        model: makes sounds.
        originals: has the real clips.
        cache: keeps what was made and heard.
        models: those that decide on what is heard in given codes, as JSON takes them.
        seed: the same seed makes the same sounds.
    """

    def __init__(
        self, model: AudioLanguageModel, originals: Originals, cache: ResultCache, models: object, seed: int = 0
    ):
        self._model, self._originals = model, originals
        self._cache, self._models, self._seed = cache, models, seed

    def evaluate(
        self, prompts: PromptSet, listener: ClassifierListener, sampling: Sampling, ears: Sequence[EarListener] = ()
    ) -> dict[str, dict[str, GenerationScores]]:
        """The three rows by name, of each listener; that of real clips is left out if the corpus lacks some of them.

        Args:
            prompts: at least one text.
            listener: judges.
            sampling: how codes are drawn.
            ears: judge too.

        Returns:
            Rows by the name of the ear, then those of the classifier.
        """

        def decode(codes: Sequence[int], how: Generation = AS_CODED) -> Tensor:
            return torch.from_numpy(self._model.render(Sound(tuple(codes)), seed=self._seed, generation=how))

        clips = [(prompt.targets, clip) for prompt in prompts.prompts for clip in prompt.clips]
        generated = [(prompt.targets, codes) for prompt, each in self._generate(prompts, sampling) for codes in each]
        sounds = {
            RECONSTRUCTED: ([(targets, clip.codes) for targets, clip in clips], decode),
            GENERATED: (generated, partial(decode, how=USUAL)),  # as `AudioLanguageModel.generate` gives them
        }
        if all(self._originals.find(clip) is not None for _, clip in clips):
            sounds = {REAL: (clips, self._originals.find), **sounds}
        present = [((), clip) for clip in prompts.others if self._originals.find(clip) is not None]
        others = self._listen(f"{prompts.name} others", listener, ears, present, self._originals.find)
        heard = {
            name: self._listen(f"{prompts.name} {name}", listener, ears, items, sound)
            for name, (items, sound) in sounds.items()
            if items
        }
        return {who: {name: score(by[who], others[who]) for name, by in heard.items()} for who in others}

    def _generate(self, prompts: PromptSet, sampling: Sampling) -> Iterable[tuple[TextPrompt, list[list[int]]]]:
        """Codes of the sounds of each text."""

        def generate(batch: Sequence[tuple[int, TextPrompt]]) -> list:
            ((number, prompt),) = batch
            seed = _SEEDS_APART * self._seed + number
            made = self._model.compose(prompt.text, prompt.seconds, seed, sampling, prompt.sounds)
            return [[list(sound.codes) for sound in made]]

        asked = [(prompt.text, prompt.seconds, prompt.sounds) for prompt in prompts.prompts]
        inputs, items = [self._seed, asdict(sampling), asked], list(enumerate(prompts.prompts))
        codes = self._cache.map(GENERATED_CODES.of(prompts.name), inputs, items, generate)
        return zip(prompts.prompts, codes, strict=True)

    def _listen(
        self,
        name: str,
        listener: ClassifierListener,
        ears: Sequence[EarListener],
        items: Sequence[tuple],
        sound: Callable,
    ) -> dict[str, list[Recognition]]:
        """What each listener hears in sounds, each sound given with its target labels and decoded once."""

        def listen(batch: Sequence[tuple]) -> list:
            waveforms = [sound(item) for _, item in batch]
            return [listener.hear(one) | {_EARS: {ear.name: ear.hear(one) for ear in ears}} for one in waveforms]

        keys = [item.key if isinstance(item, CodeClip) else list(item) for _, item in items]
        inputs = [self._models, self._seed, keys, *(ear.identity for ear in ears)]
        said = list(zip(items, self._cache.map(HEARD.of(name), inputs, items, listen), strict=True))
        by_ear = {
            ear.name: [Recognition.of(targets, one[_EARS][ear.name]) for (targets, _), one in said] for ear in ears
        }
        return by_ear | {CLASSIFIER: [Recognition.of(targets, one) for (targets, _), one in said]}
