"""What survives coding and how close it is, for any number of systems on the same clips; each codes them once."""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.event_classifier import KIND_TASK, EventClassifier
from makesomenoise.evaluation.splits import by_dataset
from makesomenoise.evaluation.tokenizer.codecs import System
from makesomenoise.metrics import (
    accuracy,
    balanced_accuracy,
    fit_gaussian,
    frechet_distance,
    log_mel_distance,
    perplexity,
    stft_distance,
    usage,
)
from makesomenoise.nn.log_mel import LogMel

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconstructions:
    """Clips after a system; the lists go clip by clip.

    Attributes:
        name: of the system.
        codebook_size: K, or None where there are no codes.
        mels: log-mels [M, T], float16 to spare memory.
        stft_distances: multi-resolution STFT distance to the original.
        bits: coded size, or None where nothing was output.
        samples: length.
        codes: code sequences [N]; empty where there are none.
        embeddings: by ear, embeddings [F, E] of those clips that it judges.
        seconds: time spent.
    """

    name: str
    codebook_size: int | None = None
    mels: list[Tensor] = field(default_factory=list)
    stft_distances: list[float] = field(default_factory=list)
    bits: list[int | None] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    codes: list[Tensor] = field(default_factory=list)
    embeddings: dict[str, list[np.ndarray]] = field(default_factory=dict)
    seconds: float = 0.0


def reconstruct_clips(system: System, store: ClipStore, mel: LogMel, ears: Sequence[EarJudge] = ()) -> Reconstructions:
    """Codes every clip of `store` and has the log-mel and the ears listen to the result."""
    started = time.monotonic()
    reconstructed = Reconstructions(system.name, system.codebook_size, embeddings={ear.name: [] for ear in ears})
    for number, clip in enumerate(store.clips):
        original = torch.from_numpy(store.waveform(number))
        output = system.reconstruct(original)
        reconstructed.mels.append(_log_mel(mel, output.waveform))
        reconstructed.stft_distances.append(stft_distance(original, output.waveform))
        reconstructed.bits.append(output.bits)
        reconstructed.samples.append(len(original))
        if output.codes is not None:
            reconstructed.codes.append(output.codes)
        for ear in ears:
            if clip.dataset in ear.judges:
                reconstructed.embeddings[ear.name].append(ear.listen(output.waveform, store.sample_rate))
    seconds = time.monotonic() - started
    _log.info("%s: %d clips in %.0f s", system.name, len(store), seconds)
    return replace(reconstructed, seconds=seconds)


def original_mels(store: ClipStore, mel: LogMel) -> list[Tensor]:
    """Log-mels [M, T] of the clips as they are, float16."""
    return [_log_mel(mel, torch.from_numpy(store.waveform(number))) for number in range(len(store))]


@torch.inference_mode()
def _log_mel(mel: LogMel, waveform: Tensor) -> Tensor:
    return mel(waveform[None])[0].half()


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Distances are means over clips.

    Attributes:
        clips: how many.
        seconds: their length together.
        log_mel_distance: mean absolute difference of log-mels.
        stft_distance: multi-resolution STFT distance.
        bits_per_second: coded bits over length, without container; None where nothing was output.
        perplexity: of the codes, 1 to K; None where there are none.
        codebook_usage: share of the codebook that occurs; None where there are no codes.
    """

    clips: int
    seconds: float
    log_mel_distance: float
    stft_distance: float
    bits_per_second: float | None
    perplexity: float | None
    codebook_usage: float | None


def measure_fidelity(
    originals: Sequence[Tensor], reconstructed: Reconstructions, sample_rate: int, indices: Sequence[int]
) -> Fidelity:
    """Compares decoded clips with the originals.

    Args:
        originals: log-mel [M, T] of each clip.
        reconstructed: the same clips after a system.
        sample_rate: of the waveforms, Hz.
        indices: the clips to take.
    """
    seconds = sum(reconstructed.samples[i] for i in indices) / sample_rate
    bits = [size for i in indices if (size := reconstructed.bits[i]) is not None]
    distances = [log_mel_distance(originals[i].float(), reconstructed.mels[i].float()) for i in indices]
    codes = torch.cat([reconstructed.codes[i] for i in indices]) if reconstructed.codes else None
    size = reconstructed.codebook_size
    return Fidelity(
        clips=len(indices),
        seconds=seconds,
        log_mel_distance=float(np.mean(distances)),
        stft_distance=float(np.mean([reconstructed.stft_distances[i] for i in indices])),
        bits_per_second=sum(bits) / seconds if bits else None,
        perplexity=perplexity(codes, size) if codes is not None and size else None,
        codebook_usage=usage(codes, size) if codes is not None and size else None,
    )


@dataclass(frozen=True, slots=True)
class ClassifierFigures:
    """What the event classifier hears in the clips of a dataset; shares are 0 to 1.

    Attributes:
        clips: how many were heard.
        task: what the classifier was asked for: the dataset's own labels, or the kind of sound.
        accuracy: share of clips classified right.
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


def classifier_figures(
    classifier: EventClassifier,
    clips: Sequence[Clip],
    originals: Sequence[Tensor],
    decoded: Sequence[Tensor],
    min_clips: int = 100,
) -> dict[str, ClassifierFigures]:
    """Judges decoded clips beside the originals.

    Args:
        classifier: trained on other originals.
        clips: what is known of each clip.
        originals: log-mel [M, T] of each clip.
        decoded: log-mel [M, T] of each clip after coding; `originals` themselves give the reference row.
        min_clips: datasets with fewer clips are left out.

    Returns:
        The result of each dataset by name.
    """
    return {
        dataset: _dataset_figures(
            classifier,
            dataset,
            [clips[i] for i in indices],
            [originals[i] for i in indices],
            [decoded[i] for i in indices],
        )
        for dataset, indices in by_dataset(clips, min_clips).items()
    }


def _dataset_figures(
    classifier: EventClassifier, dataset: str, clips: list[Clip], originals: list[Tensor], decoded: list[Tensor]
) -> ClassifierFigures:
    task = classifier.config.task_of(dataset)
    names = classifier.config.tasks[task]
    true = [clip.kind if task == KIND_TASK else clip.label for clip in clips]
    known = [number for number, name in enumerate(true) if name in names]
    reference, heard = (classifier.classify([mel.float() for mel in mels]) for mels in (originals, decoded))
    finest = max(classifier.config.tasks, key=lambda task: len(classifier.config.tasks[task]))
    scores, classes = heard.scores[task][known], torch.tensor([names.index(true[number]) for number in known])
    return ClassifierFigures(
        clips=len(known),
        task=task,
        accuracy=accuracy(scores, classes),
        balanced_accuracy=balanced_accuracy(scores, classes),
        agreement=accuracy(heard.scores[finest], reference.scores[finest].argmax(-1)),
        frechet_distance=frechet_distance(fit_gaussian(reference.features), fit_gaussian(heard.features)),
    )


ORIGINALS = "original"
RECONSTRUCTION = Measurement("reconstruction", version="1")
_ALL = "all"


class ReconstructionJudge:
    """Fidelity of systems, and what the event classifier and outside ears hear after them.

    Args:
        classifier: the event classifier.
        store: the clips.
        min_clips: datasets with fewer clips are not judged on their own.
        cache: a system that sounds the same, on the same clips, is not run again.
        ears: outside ears, asked beside the classifier.
    """

    def __init__(
        self,
        classifier: EventClassifier,
        store: ClipStore,
        min_clips: int,
        cache: ResultCache,
        ears: Sequence[EarJudge] = (),
    ):
        self._classifier, self._store, self._ears = classifier, store, ears
        self._min_clips, self._cache = min_clips, cache
        self._mel = LogMel(classifier.config.mel)
        self._originals = original_mels(store, self._mel)
        weights = checkpoint.fingerprint(classifier.config, classifier.state_dict())
        self._inputs = [weights, min_clips, [clip.key for clip in store.clips], *(ear.identity for ear in ears)]
        self._embeddings = {ear.name: ear.originals(self._clips_of(ear)) for ear in ears}

    def judge(self, systems: Sequence[System]) -> dict[str, dict]:
        """Figures of each system by name, the originals first."""
        originals = {"event_classifier": self._classified(self._originals), **self._heard(self._embeddings)}
        return {ORIGINALS: originals, **{system.name: self._cached(system) for system in systems}}

    def _cached(self, system: System) -> dict:
        # How it codes a fixed sound tells systems apart: it depends on weights, vocoder and every setting of decoding.
        sound = 0.1 * torch.randn(self._store.sample_rate // 2, generator=torch.Generator().manual_seed(0))
        example = hashlib.sha256(system.reconstruct(sound).waveform.numpy().tobytes()).hexdigest()
        measurement = RECONSTRUCTION.of(system.name)
        return self._cache.get(measurement, [self._inputs, example], lambda: self._figures(system))

    def _figures(self, system: System) -> dict:
        clips = reconstruct_clips(system, self._store, self._mel, self._ears)
        groups = {_ALL: list(range(len(self._store))), **by_dataset(self._store.clips, self._min_clips)}
        rate = self._store.sample_rate
        fidelity = {
            name: asdict(measure_fidelity(self._originals, clips, rate, indices)) for name, indices in groups.items()
        }
        classified, heard = self._classified(clips.mels), self._heard(clips.embeddings)
        return {"fidelity": fidelity, "event_classifier": classified, **heard, "seconds": clips.seconds}

    def _classified(self, mels: list[Tensor]) -> dict[str, dict]:
        found = classifier_figures(self._classifier, self._store.clips, self._originals, mels, self._min_clips)
        return {dataset: asdict(figures) for dataset, figures in found.items()}

    def _heard(self, embeddings: Mapping[str, list[np.ndarray]]) -> dict[str, dict]:
        """What each ear hears in a version of the clips, under `ears`; nothing where none is asked."""
        found = {}
        for ear in self._ears:
            figures = ear.figures(self._clips_of(ear), self._embeddings[ear.name], embeddings[ear.name])
            found[ear.name] = {dataset: asdict(result) for dataset, result in figures.items()}
        return {"ears": found} if found else {}

    def _clips_of(self, ear: EarJudge) -> list[Clip]:
        """The clips whose names an ear has learned."""
        return [clip for clip in self._store.clips if clip.dataset in ear.judges]
