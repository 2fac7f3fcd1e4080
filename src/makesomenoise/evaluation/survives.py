"""What survives coding: does a classifier that knows originals still hear the right sound, and the same features?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.classifier import KIND_TASK, EventClassifier
from makesomenoise.evaluation.corpus import by_dataset
from makesomenoise.metrics.classification import accuracy, balanced_accuracy
from makesomenoise.metrics.frechet import fit_gaussian, frechet_distance


@dataclass(frozen=True, slots=True)
class Survival:
    """What is left of the clips of a dataset.

    Attributes:
        clips: how many were judged.
        task: what the classifier named: the dataset's own labels, or the kind of sound.
        accuracy: share of clips named right, 0 to 1.
        balanced_accuracy: the same with each class weighing alike.
        agreement: share of clips in which it hears what it heard in the original, among the names of its largest task;
            asks nothing of labels, which are uncertain or coarse in some datasets.
        frechet_distance: between the classifier's features of the originals and of these; 0 for the originals.
    """

    clips: int
    task: str
    accuracy: float
    balanced_accuracy: float
    agreement: float
    frechet_distance: float


def survival(
    classifier: EventClassifier,
    clips: Sequence[Clip],
    originals: Sequence[Tensor],
    decoded: Sequence[Tensor],
    least: int = 100,
) -> dict[str, Survival]:
    """Judges decoded clips beside the originals.

    Args:
        classifier: trained on other originals.
        clips: what is known of each clip.
        originals: log-mel [M, T] of each clip.
        decoded: log-mel [M, T] of each clip after coding; `originals` themselves give the reference row.
        least: datasets with fewer clips are left out.

    Returns:
        The result of each dataset by name.
    """
    return {
        dataset: _judged(
            classifier,
            dataset,
            [clips[i] for i in numbers],
            [originals[i] for i in numbers],
            [decoded[i] for i in numbers],
        )
        for dataset, numbers in by_dataset(clips, least).items()
    }


def _judged(
    classifier: EventClassifier, dataset: str, clips: list[Clip], originals: list[Tensor], decoded: list[Tensor]
) -> Survival:
    task = classifier.config.task_of(dataset)
    names = classifier.config.tasks[task]
    true = [clip.kind if task == KIND_TASK else clip.label for clip in clips]
    known = [number for number, name in enumerate(true) if name in names]
    reference, judged = (classifier.judge([mel.float() for mel in mels]) for mels in (originals, decoded))
    finest = max(classifier.config.tasks, key=lambda task: len(classifier.config.tasks[task]))
    scores, classes = judged.scores[task][known], torch.tensor([names.index(true[number]) for number in known])
    return Survival(
        clips=len(known),
        task=task,
        accuracy=accuracy(scores, classes),
        balanced_accuracy=balanced_accuracy(scores, classes),
        agreement=accuracy(judged.scores[finest], reference.scores[finest].argmax(-1)),
        frechet_distance=frechet_distance(fit_gaussian(reference.features), fit_gaussian(judged.features)),
    )
