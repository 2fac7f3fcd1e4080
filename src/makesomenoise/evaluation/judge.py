"""What survives and how close it is, for any number of systems on the same clips; each system codes them once.

What has been found is kept in a folder: a system that sounds the same, on the same clips, is not coded again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.corpus import by_dataset
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.fidelity import fidelity
from makesomenoise.evaluation.rendering import originals, render
from makesomenoise.evaluation.survives import survival
from makesomenoise.evaluation.systems import System
from makesomenoise.files import make_folder, write_text
from makesomenoise.nn.log_mel import LogMel

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
            make_folder(self._folder)
            write_text(path, json.dumps(self._figures(system)))
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
