"""What survives coding and how close it is, for any number of systems on the same clips; each codes them once."""

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.audio.io import replacing
from makesomenoise.audio.mel import LogMel
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
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

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Clips after a system; the lists go clip by clip.

    Attributes:
        name: of the system.
        codebook_size: K, or None where there are no codes.
        mels: log-mels [M, T], float16 to spare memory.
        stft_distances: multi-resolution STFT distance to the original.
        bits: coded size, or None where nothing was coded.
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


def render(system: System, store: ClipStore, mel: LogMel, ears: Sequence[EarJudge] = ()) -> Rendered:
    """Codes every clip of `store` and has the log-mel and the ears listen to the result."""
    started = time.monotonic()
    rendered = Rendered(system.name, system.codebook_size, embeddings={ear.name: [] for ear in ears})
    for number, clip in enumerate(store.clips):
        original = torch.from_numpy(store.waveform(number))
        coded = system.code(original)
        rendered.mels.append(_log_mel(mel, coded.waveform))
        rendered.stft_distances.append(stft_distance(original, coded.waveform))
        rendered.bits.append(coded.bits)
        rendered.samples.append(len(original))
        if coded.codes is not None:
            rendered.codes.append(coded.codes)
        for ear in ears:
            if clip.dataset in ear.judges:
                rendered.embeddings[ear.name].append(ear.listen(coded.waveform, store.sample_rate))
    seconds = time.monotonic() - started
    _log.info("%s: %d clips in %.0f s", system.name, len(store), seconds)
    return replace(rendered, seconds=seconds)


def originals(store: ClipStore, mel: LogMel) -> list[Tensor]:
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
        bits_per_second: coded bits over length, without container; None where nothing was coded.
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


def fidelity(originals: Sequence[Tensor], rendered: Rendered, sample_rate: int, numbers: Sequence[int]) -> Fidelity:
    """Compares decoded clips with the originals.

    Args:
        originals: log-mel [M, T] of each clip.
        rendered: the same clips after a system.
        sample_rate: of the waveforms, Hz.
        numbers: the clips to take.
    """
    seconds = sum(rendered.samples[i] for i in numbers) / sample_rate
    bits = [size for i in numbers if (size := rendered.bits[i]) is not None]
    distances = [log_mel_distance(originals[i].float(), rendered.mels[i].float()) for i in numbers]
    codes = torch.cat([rendered.codes[i] for i in numbers]) if rendered.codes else None
    size = rendered.codebook_size
    return Fidelity(
        clips=len(numbers),
        seconds=seconds,
        log_mel_distance=float(np.mean(distances)),
        stft_distance=float(np.mean([rendered.stft_distances[i] for i in numbers])),
        bits_per_second=sum(bits) / seconds if bits else None,
        perplexity=perplexity(codes, size) if codes is not None and size else None,
        codebook_usage=usage(codes, size) if codes is not None and size else None,
    )


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


ORIGINALS = "original"
_ALL = "all"


class Judge:
    """Fidelity and survival of systems.

    Args:
        classifier: the event classifier.
        store: the clips.
        least: datasets with fewer clips are not judged on their own.
        folder: keeps what has been found.
        ears: outside ears, asked beside the classifier.
    """

    def __init__(
        self, classifier: EventClassifier, store: ClipStore, least: int, folder: Path, ears: Sequence[EarJudge] = ()
    ):
        self._classifier, self._store, self._least, self._folder, self._ears = classifier, store, least, folder, ears
        self._mel = LogMel(classifier.config.mel)
        self._originals = originals(store, self._mel)
        state = checkpoint.fingerprint(classifier.config, classifier.state_dict())
        identity = [state, self._least, [clip.key for clip in store.clips], *(ear.identity for ear in ears)]
        self._identity = json.dumps(identity)
        self._embeddings = {ear.name: ear.originals(self._judged_by(ear)) for ear in ears}

    def judge(self, systems: Sequence[System]) -> dict[str, dict]:
        """Figures of each system by name, the originals first."""
        found = {ORIGINALS: {"survives": self._survives(self._originals), **self._heard(self._embeddings)}}
        return found | {system.name: self._remembered(system) for system in systems}

    def _remembered(self, system: System) -> dict:
        # How it codes a fixed sound tells systems apart: it depends on weights, vocoder and every setting of decoding.
        sound = 0.1 * torch.randn(self._store.sample_rate // 2, generator=torch.Generator().manual_seed(0))
        example = system.code(sound).waveform.numpy().tobytes()
        identity = hashlib.sha256(f"{self._identity}{system.name}".encode() + example).hexdigest()[:16]
        path = self._folder / f"{identity}.json"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(self._figures(system)), encoding="utf-8")
        return json.loads(path.read_text(encoding="utf-8"))

    def _figures(self, system: System) -> dict:
        rendered = render(system, self._store, self._mel, self._ears)
        groups = {_ALL: list(range(len(self._store))), **by_dataset(self._store.clips, self._least)}
        rate = self._store.sample_rate
        close = {name: asdict(fidelity(self._originals, rendered, rate, numbers)) for name, numbers in groups.items()}
        heard = self._heard(rendered.embeddings)
        return {"fidelity": close, "survives": self._survives(rendered.mels), **heard, "seconds": rendered.seconds}

    def _survives(self, mels: list[Tensor]) -> dict[str, dict]:
        found = survival(self._classifier, self._store.clips, self._originals, mels, self._least)
        return {dataset: asdict(result) for dataset, result in found.items()}

    def _heard(self, embeddings: Mapping[str, list[np.ndarray]]) -> dict[str, dict]:
        """What each ear hears in a version of the clips, under `ears`; nothing where none is asked."""
        found = {}
        for ear in self._ears:
            figures = ear.figures(self._judged_by(ear), self._embeddings[ear.name], embeddings[ear.name])
            found[ear.name] = {dataset: asdict(result) for dataset, result in figures.items()}
        return {"ears": found} if found else {}

    def _judged_by(self, ear: EarJudge) -> list[Clip]:
        return [clip for clip in self._store.clips if clip.dataset in ear.judges]
