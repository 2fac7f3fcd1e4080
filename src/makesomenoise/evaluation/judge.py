"""What survives and how close it is, for any number of systems on the same clips.

What has been found is kept in a folder: a system that sounds the same, on the same clips, is not coded again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.audio.io import replacing
from makesomenoise.audio.mel import LogMel
from makesomenoise.data.clips import ClipStore
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.fidelity import fidelity
from makesomenoise.evaluation.rendering import by_dataset, originals, render
from makesomenoise.evaluation.survives import survival
from makesomenoise.evaluation.systems import System

ORIGINALS = "original"
_ALL = "all"


class Judge:
    """Fidelity and survival of systems.

    Args:
        classifier: the event classifier.
        store: the clips.
        least: datasets with fewer clips are not judged on their own.
        folder: keeps what has been found.
    """

    def __init__(self, classifier: EventClassifier, store: ClipStore, least: int, folder: Path):
        self._classifier, self._store, self._least, self._folder = classifier, store, least, folder
        self._mel = LogMel(classifier.config.mel)
        self._originals = originals(store, self._mel)
        state = checkpoint.fingerprint(classifier.config, classifier.state_dict())
        self._identity = json.dumps([state, self._least, [clip.key for clip in store.clips]])

    def judge(self, systems: Sequence[System]) -> dict[str, dict]:
        """Figures of each system by name, the originals first."""
        found = {ORIGINALS: {"survives": self._survives(self._originals)}}
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
        rendered = render(system, self._store, self._mel)
        groups = {_ALL: list(range(len(self._store))), **by_dataset(self._store.clips, self._least)}
        rate = self._store.sample_rate
        close = {name: asdict(fidelity(self._originals, rendered, rate, numbers)) for name, numbers in groups.items()}
        return {"fidelity": close, "survives": self._survives(rendered.mels), "seconds": rendered.seconds}

    def _survives(self, mels: list[Tensor]) -> dict[str, dict]:
        found = survival(self._classifier, self._store.clips, self._originals, mels, self._least)
        return {dataset: asdict(result) for dataset, result in found.items()}
