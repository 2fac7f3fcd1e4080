"""What a network trained elsewhere hears in clips, as targets of training: it knows of unlabelled sound too.

Every clip is listened to once, as its file has it, and the answers are kept in a folder. They are numbers alone: no
gradient of the teacher exists here, and what is trained on them says so in its model folder (`TokenizerConfig`).
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from makesomenoise import config
from makesomenoise.data.clips import ClipStore, Part
from makesomenoise.engine.ears import Ear
from makesomenoise.files import atomic_write, make_folder

_log = logging.getLogger(__name__)


class Teacher:
    """An ear that tells of each moment of a clip its embedding and how likely each of its classes is.

    Args:
        ear: the network.
        store: the clips.
        cache: folder that keeps its answers; several processes may share it.
    """

    def __init__(self, ear: Ear, store: ClipStore, cache: str | Path):
        self._ear, self._store = ear, store
        self._embedding = ear.listen(np.zeros(1, np.float32), ear.settings.sample_rate).embeddings.shape[1]
        identity = hashlib.sha256(repr([*ear.identity, ear.settings.scores]).encode()).hexdigest()[:16]
        self._cache = Path(cache) / f"{ear.name}-{identity}"

    def listen(self) -> None:
        """Listens to all clips that it has not heard yet, which takes a second for some minutes of sound."""
        missing = [clip for clip in range(len(self._store)) if not self._place(clip).exists()]
        if missing:
            _log.info("%s listens to %d clips, once", self._ear.name, len(missing))
            make_folder(self._cache)
        for clip in missing:
            heard = self._ear.listen(self._store.waveform(clip), self._store.sample_rate)
            values = np.concatenate((heard.embeddings, heard.scores), axis=1).astype(np.float16)
            with atomic_write(self._place(clip)) as temporary, temporary.open("wb") as file:
                np.save(file, values)
            self._store.forget(clip)

    @property
    def embedding(self) -> int:
        """Size E of an embedding."""
        return self._embedding

    @property
    def record(self) -> config.Teacher:
        """By which a model folder tells of it."""
        return config.Teacher(name=self._ear.name, sha256=self._ear.sha256)

    def answers(self, parts: Sequence[Part], places: int, per_place: int) -> np.ndarray:
        """What it heard in the places of a stretch that is filled with clips.

        Args:
            parts: what lies in the stretch.
            places: N.
            per_place: entries of the stretch in a place.

        Returns:
            [N, E + K] float32: of the window whose share of the clip the middle of a place lies in, the embedding and
            the probabilities; NaN where no clip lies.
        """
        found = None
        middles = (np.arange(places) + 0.5) * per_place
        for part in parts:
            heard = np.load(self._place(part.clip), mmap_mode="r")
            found = np.full((places, heard.shape[1]), np.nan, np.float32) if found is None else found
            inside = (middles >= part.start) & (middles < part.stop)
            shares = (middles[inside] - part.start + part.skipped) / part.whole
            found[inside] = heard[(shares * len(heard)).astype(int)]
        assert found is not None  # a stretch holds a clip
        return found

    def _place(self, clip: int) -> Path:
        """Where [F, E + K] float16 of a clip lie."""
        return self._cache / f"{self._store.name(clip)}.npy"
