"""The sound that codes were made from: clips as a corpus has them, scenes put together again."""

import numpy as np
import torch
from torch import Tensor

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.jobs import SCENES
from makesomenoise.data.scenes import SceneError, SceneMaker
from makesomenoise.data.sounds import find
from makesomenoise.evaluation.corpus import Corpus


class Originals:
    """Waveforms of the validation clips of a corpus, and of scenes made from them.

    Args:
        corpus: the clips, in the order in which `msn data encode` has read them.
        sample_rate: of the waveforms, Hz.
    """

    def __init__(self, corpus: Corpus, sample_rate: int):
        trusted = [clip for clip in corpus.valid if find(clip.label, clip.dataset)]
        self._numbers = {clip.key: number for number, clip in enumerate(corpus.valid)}
        self._store = ClipStore(corpus.valid, sample_rate, corpus.cache)
        try:
            self._maker = SceneMaker(ClipStore(trusted, sample_rate, corpus.cache))
        except SceneError:
            self._maker = None

    def find(self, clip: CodeClip) -> Tensor | None:
        """The waveform [S] of a clip or scene, or nothing if the corpus does not have it."""
        if clip.events:
            return self._scene(clip)
        number = self._numbers.get(clip.key)
        return None if number is None else torch.from_numpy(self._store.waveform(number))

    def _scene(self, clip: CodeClip) -> Tensor | None:
        name, *numbers = clip.key.split("-")
        if self._maker is None or name != SCENES or not all(number.isdigit() for number in numbers):
            return None
        made = self._maker.make(np.random.default_rng([int(number) for number in numbers]))
        return torch.from_numpy(made.waveform) if made.events == clip.events else None
