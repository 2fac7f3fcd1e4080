"""What the event classifier and outside ears hear in sounds that were asked for, and how alike and varied those are.

What a listener heard is JSON until it is summed up, so that it can be kept.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from makesomenoise.data.sounds import find
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.metrics.classification import bootstrap_error
from makesomenoise.metrics.diversity import diversity, mean_pairwise_distance
from makesomenoise.metrics.frechet import fit_gaussian, frechet_distance
from makesomenoise.nn.log_mel import LogMel

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
