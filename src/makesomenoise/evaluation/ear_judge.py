"""What an outside ear still hears: linear judges on its embeddings of originals, asked about other versions of clips.

A figure for how a sound *sounds* rests first on an ear that had no part in training: no gradient of it, nor of anything
distilled from it, has reached the decoder or the vocoder that it judges. A model records its teachers, and an ear among
them is refused; one that taught an encoder what codes should tell judges on, with that said.

A judge is logistic regression on the standardised mean embedding of a clip. It has learned from original clips of the
training split alone, so that what it names in a decoded clip is what a decoded clip still has of a real one.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from makesomenoise.data.clips import decode
from makesomenoise.data.manifest import Clip
from makesomenoise.engine.ears import Ear, EarError
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.evaluation.splits import by_dataset
from makesomenoise.metrics import bootstrap_error, fit_gaussian, frechet_distance
from makesomenoise.tokenizer.model import AudioTokenizer

EMBEDDINGS = Measurement("embeddings of originals by", version="1")
_TOP = 5
_MIN_CLASSES_OR_CLIPS = 2  # labels to tell apart, and clips to compare
_INVERSE_REGULARISATION, _ITERATIONS = 0.02, 400

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarFigures:
    """What an ear hears in the clips of a dataset; shares are 0 to 1, errors are standard errors by bootstrap.

    Attributes:
        clips: how many were judged.
        accuracy: share whose label is named first.
        accuracy_error: its error.
        top5_accuracy: share whose label is among the five named first.
        top5_accuracy_error: its error.
        agreement: share of which the first name is that of the original, right or wrong.
        agreement_error: its error.
        frechet_distance: between the embeddings of all windows of the originals and of these.
    """

    clips: int
    accuracy: float
    accuracy_error: float
    top5_accuracy: float
    top5_accuracy_error: float
    agreement: float
    agreement_error: float
    frechet_distance: float


def refuse_teachers(ears: Sequence[Ear], tokenizers: Mapping[str, AudioTokenizer]) -> None:
    """Refuses ears that had a part in the training of what they are to judge.

    Args:
        ears: to be asked.
        tokenizers: to be judged, with their vocoders, by name.

    Raises:
        EarError: if an ear is the file of a teacher.
    """
    for name, tokenizer in tokenizers.items():
        voice = tokenizer.vocoder.teachers
        for model, teachers in (("tokenizer", tokenizer.config.teachers), ("vocoder", voice)):
            taught = {teacher.sha256 for teacher in teachers}
            for ear in ears:
                if ear.sha256 in taught:
                    raise EarError(
                        f"The ear {ear.name} is among the teachers of the {model} of '{name}', and hears what it was "
                        "trained to please: give an ear that had no part in training."
                    )


def that_taught_codes(ears: Sequence[Ear], tokenizers: Mapping[str, AudioTokenizer]) -> dict[str, list[str]]:
    """The ears that taught encoders, with the names of those tokenizers: they have a part in what they hear."""
    found = {
        ear.name: [
            name
            for name, tokenizer in tokenizers.items()
            if ear.sha256 in {teacher.sha256 for teacher in tokenizer.config.code_teachers}
        ]
        for ear in ears
    }
    return {ear: names for ear, names in found.items() if names}


class LinearJudge:
    """Names clips by their embeddings.

    Attributes:
        names: what it can say, in order.
    """

    def __init__(self, names: Sequence[str], model: Any):
        self.names, self._model = tuple(names), model

    @classmethod
    def fit(cls, clips: Sequence[np.ndarray], labels: Sequence[str]) -> Self:
        """Learns from the embeddings [F, E] of clips and their labels, at least two different ones."""
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - of the extra `ears`
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

        regression = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of the loss name no clip otherwise
            model = make_pipeline(StandardScaler(), regression).fit(_means(clips), list(labels))
        return cls([str(name) for name in model.classes_], model)

    def scores(self, clips: Sequence[np.ndarray]) -> Tensor:
        """Probability of each name [B, names] of clips, given as embeddings [F, E]."""
        return torch.from_numpy(self._model.predict_proba(_means(clips)))


class EarJudge:
    """An ear with a judge for each dataset.

    Args:
        ear: listens.
        train: clips to learn from.
        cache: keeps embeddings of originals for later runs.
        datasets: those whose names are to be learned; none: all that are labelled by hand.

    Attributes:
        name: of the ear.
        judges: by dataset.
        identity: what its figures depend on beside the clips, as JSON takes it.

    Raises:
        EarError: if no dataset has clips of two labels to learn from.
    """

    def __init__(self, ear: Ear, train: Sequence[Clip], cache: ResultCache, datasets: Iterable[str] = ()):
        self.name, self.judges, self._ear, self._cache = ear.name, {}, ear, cache
        learned = []
        for dataset in sorted(datasets) or sorted({clip.dataset for clip in train if clip.trust == "exact"}):
            clips = [clip for clip in train if clip.dataset == dataset and clip.label]
            if len({clip.label for clip in clips}) >= _MIN_CLASSES_OR_CLIPS:
                labels = [clip.label for clip in clips]
                self.judges[dataset] = LinearJudge.fit(self.originals(clips), labels)
                learned.append([_identities(clips), labels])
        if not self.judges:
            known = " or ".join(sorted(datasets)) or "collections labelled by hand (trust: exact)"
            raise EarError(
                f"The ear {ear.name} learns names from training clips of {known} with two labels or more, and the "
                "corpus has none: add them, or ask no ear."
            )
        self.identity: list = [*ear.identity, _digest(learned)]

    def listen(self, waveform: Tensor, sample_rate: int) -> np.ndarray:
        """Embeddings [F, E] of a waveform [S]."""
        return self._ear.listen(waveform.numpy(), sample_rate).embeddings

    def originals(self, clips: Sequence[Clip]) -> list[np.ndarray]:
        """Embeddings [F, E] of clips as their files have them, found once."""
        if not clips:
            return []
        inputs = [self._ear.identity, _identities(clips)]
        found = self._cache.arrays(EMBEDDINGS.of(self.name), inputs, lambda: self._embedded(clips))
        return np.split(found["frames"], np.cumsum(found["counts"])[:-1])

    def figures(
        self, clips: Sequence[Clip], originals: Sequence[np.ndarray], versions: Sequence[np.ndarray]
    ) -> dict[str, EarFigures]:
        """Compares versions of clips with the originals.

        Args:
            clips: what is known of each clip, all of datasets that have a judge.
            originals: embeddings [F, E] of each.
            versions: embeddings of each after coding; `originals` themselves give the reference row.

        Returns:
            The figures of each dataset with at least two clips.
        """
        return {
            dataset: _figures(
                self.judges[dataset],
                [clips[n].label for n in numbers],
                [originals[n] for n in numbers],
                [versions[n] for n in numbers],
            )
            for dataset, numbers in by_dataset(clips, _MIN_CLASSES_OR_CLIPS).items()
        }

    def _embedded(self, clips: Sequence[Clip]) -> dict[str, np.ndarray]:
        _log.info("%s listens to %d original clips", self.name, len(clips))
        rate = self._ear.settings.sample_rate
        frames = [self._ear.listen(decode(clip, rate), rate).embeddings for clip in clips]
        counts = np.array([len(one) for one in frames])
        return {"frames": np.concatenate(frames), "counts": counts}


def _figures(
    judge: LinearJudge, labels: list[str], originals: list[np.ndarray], versions: list[np.ndarray]
) -> EarFigures:
    ranking = judge.scores(versions).argsort(dim=1, descending=True)
    numbers = {name: number for number, name in enumerate(judge.names)}
    # A label that nobody could learn is a name that is never right.
    right = ranking == torch.tensor([numbers.get(label, -1) for label in labels])[:, None]
    outcomes = {
        "accuracy": right[:, 0],
        "top5_accuracy": right[:, :_TOP].any(1),
        "agreement": ranking[:, 0] == judge.scores(originals).argmax(1),
    }
    shares = {name: outcome.double().mean().item() for name, outcome in outcomes.items()}
    errors = {f"{name}_error": bootstrap_error(outcome) for name, outcome in outcomes.items()}
    gaussians = (fit_gaussian(torch.from_numpy(np.concatenate(side))) for side in (originals, versions))
    return EarFigures(clips=len(labels), **shares, **errors, frechet_distance=frechet_distance(*gaussians))


def _means(clips: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([frames.mean(0) for frames in clips])


def _identities(clips: Sequence[Clip]) -> list:
    return [[clip.key, clip.size] for clip in clips]


def _digest(about: object) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
