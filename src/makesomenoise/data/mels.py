"""Log-mels of clips as training examples, varied without going back to the waveform: cheap enough for large batches."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config
from makesomenoise.data.clips import Answers, ClipStore, Sequences
from makesomenoise.nn.log_mel import LogMel

SILENCE = -16.0


class MelAugmentConfig(Config):
    """How log-mels are varied.

    Attributes:
        gain: largest change of level, nepers.
        tilt: largest change of level from the middle to either end of the spectrum, nepers.
        shift: largest move along frequency, bands.
        masks: number of blanked stretches of time, and of blanked bands (SpecAugment, Park et al. 2019).
        mask_share: largest share of the length, and of the bands, that one of them blanks.
    """

    gain: float = 1.5
    tilt: float = 0.5
    shift: int = 2
    masks: int = 2
    mask_share: float = 0.125


class MelStore:
    """Log-mels of clips, computed once and kept in memory in half precision.

    Args:
        store: the clips.
        config: the log-mel.
    """

    def __init__(self, store: ClipStore, config: MelConfig):
        self.clips = store.clips
        self._store, self._mel = store, LogMel(config)
        self._mels: dict[int, np.ndarray] = {}

    def mel(self, index: int) -> np.ndarray:
        """Log-mel [T, M] float32 of clip `index`."""
        if index not in self._mels:
            with torch.inference_mode():
                mel = self._mel(torch.from_numpy(self._store.waveform(index))[None])[0].T
            self._mels[index] = mel.half().numpy()
        return self._mels[index].astype(np.float32)


class MelCrops(Dataset[dict[str, Tensor]]):
    """Endless random crops of log-mel.

    Each example is a dict of `mel` [M, T] float32, `labels` [N] int64 with N = T // label_frames and, with a teacher,
    `taught` [N, V] float32. Example `n` depends on the seed and on `n` alone.
    """

    def __init__(
        self,
        store: MelStore,
        mel: MelConfig,
        crop_frames: int,
        label_frames: int,
        sequences: Sequences,
        augment: MelAugmentConfig | None = None,
        seed: int = 0,
        teacher: Answers | None = None,
    ):
        self._teacher = teacher
        self._store, self._sequences, self._augment, self._seed = store, sequences, augment, seed
        self._shape, self._rate, self._label_frames = (crop_frames, mel.n_mels), mel.frame_rate, label_frames

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self._seed, number])
        mel = np.full(self._shape, SILENCE, np.float32)
        filled = self._sequences.fill(rng, mel, self._store.mel, self._rate, self._label_frames)
        if self._augment is not None:
            mel = varied(mel, self._augment, rng)
        example = {"mel": np.ascontiguousarray(mel.T), "labels": filled.labels}
        if self._teacher is not None:
            example["taught"] = self._teacher.answers(filled.parts, len(filled.labels), self._label_frames)
        return {name: torch.from_numpy(values) for name, values in example.items()}


def varied(mel: np.ndarray, config: MelAugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """A varied copy of a log-mel [T, M]."""
    frames, bands = mel.shape
    mel = np.roll(mel, int(rng.integers(-config.shift, config.shift + 1)), axis=1)
    mel = mel + np.float32(rng.uniform(-config.gain, config.gain))
    mel += np.linspace(-1, 1, bands, dtype=np.float32) * np.float32(rng.uniform(-config.tilt, config.tilt))
    for _ in range(config.masks):
        length, width = (int(n * config.mask_share * rng.random()) for n in (frames, bands))
        start, low = int(rng.integers(0, frames - length + 1)), int(rng.integers(0, bands - width + 1))
        mel[start : start + length] = SILENCE
        mel[:, low : low + width] = SILENCE
    return mel


def mixed(mel: Tensor, share: Tensor, partner: Tensor) -> Tensor:
    """Adds to each example another one (mixup, Zhang et al. 2018, of magnitudes).

    Args:
        mel: [B, M, T] log-mels.
        share: [B] in [0, 1], weight of the example itself.
        partner: [B] number of the other example.
    """
    own, other = (weight.clamp_min(1e-6).log()[:, None, None] for weight in (share, 1 - share))
    return torch.logaddexp(mel + own, mel[partner] + other)


def mixed_targets(targets: Tensor, share: Tensor, partner: Tensor) -> Tensor:
    """Class weights [B, ...] of the examples that `mixed` makes with the same arguments."""
    own = share.reshape(-1, *[1] * (targets.dim() - 1))
    return own * targets + (1 - own) * targets[partner]
