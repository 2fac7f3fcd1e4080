"""What the event classifier hears in sounds that were asked for, and how alike and how varied they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from makesomenoise.audio.mel import LogMel
from makesomenoise.data.sounds import find
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.metrics.diversity import diversity, mean_pairwise_distance
from makesomenoise.metrics.frechet import fit_gaussian, frechet_distance

_TOP = 5


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound.

    Attributes:
        wanted: names of what was asked for.
        names: the five names that the classifier hears first.
        features: [E] of the classifier.
    """

    wanted: tuple[str, ...]
    names: tuple[str, ...]
    features: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What the classifier makes of sounds of one kind; shares are 0 to 1.

    Attributes:
        sounds: how many.
        top1: share in which what it hears first was asked for.
        any5: share in which some of what was asked for is among the five it hears first.
        all5: share in which all of it is; the same as `any5` where one thing is asked for.
        frechet_distance: between its features and those of other real clips; None if there are too few.
        diversity: mean distance of features between sounds of one text; between all, if each text has one sound.
    """

    sounds: int
    top1: float
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
        order = judged.scores[self._task][0].argsort(descending=True).tolist()
        names = list(dict.fromkeys(self._names[number] for number in order))[:_TOP]
        return {"names": names, "features": [round(value, 4) for value in judged.features[0].tolist()]}


def row(heard: Sequence[Heard], others: Sequence[Sequence[float]]) -> Row:
    """Sums up what was heard.

    Args:
        heard: at least one sound.
        others: features [E] of other real clips.
    """
    features = torch.tensor([one.features for one in heard])
    texts = list(dict.fromkeys(one.wanted for one in heard))
    within = diversity(features, torch.tensor([texts.index(one.wanted) for one in heard]))
    enough = min(len(heard), len(others)) > 1
    gaussians = [fit_gaussian(one) for one in (features, torch.tensor(others))] if enough else []
    return Row(
        sounds=len(heard),
        top1=_share(heard, lambda one: one.names[0] in one.wanted),
        any5=_share(heard, lambda one: any(name in one.names for name in one.wanted)),
        all5=_share(heard, lambda one: all(name in one.names for name in one.wanted)),
        frechet_distance=frechet_distance(*gaussians) if enough else None,
        diversity=mean_pairwise_distance(features) if within is None and len(heard) > 1 else within,
    )


def _share(heard: Sequence[Heard], holds: Callable[[Heard], bool]) -> float:
    return sum(map(holds, heard)) / len(heard)


def _meaning(name: str) -> str:
    found = find(name)
    return found.name if found else name
