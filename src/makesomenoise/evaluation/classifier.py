"""The event classifier: a small convolutional network that names the sound in a log-mel.

It is the judge of what survives coding, never a part of the tokenizer. Its training is in `classifier_training`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import ModelConfig
from makesomenoise.nn.spectrogram import SpectrogramTrunk

KIND_TASK = "kind"
# 100 dB below a full-scale sine (whose log-magnitude is 5.5): quieter differences are not heard and must not be judged.
_FLOOR = -6.0
_CENTRE, _SPREAD = 0.0, 3.0
_BATCH = 32


class ClassifierConfig(ModelConfig):
    """Settings of the event classifier.

    Attributes:
        mel: the log-mel it listens to.
        window_seconds: length of one look; longer clips are the mean of several.
        channels: widths after the first quartering and the three halvings of the spectrogram.
        feature_size: width E of the layer before the class scores.
        tasks: names of the classes of each task; the tasks share everything but the last layer.
    """

    model_type: ClassVar[str] = "event_classifier"

    mel: MelConfig = MelConfig()
    window_seconds: float = 5.0
    channels: tuple[int, int, int, int] = (24, 48, 96, 160)
    feature_size: int = 128
    tasks: dict[str, tuple[str, ...]]

    @property
    def window_frames(self) -> int:
        """Mel frames in a window."""
        return round(self.window_seconds * self.mel.frame_rate)

    def task_of(self, dataset: str) -> str:
        """The task that judges clips of `dataset`: its own where there is one, else their kind."""
        return dataset if dataset in self.tasks else KIND_TASK


@dataclass(frozen=True, slots=True)
class Judged:
    """What the classifier makes of clips.

    Attributes:
        features: [B, E] activations before the class scores.
        scores: [B, classes] for each task.
    """

    features: Tensor
    scores: dict[str, Tensor]


class EventClassifier(nn.Module):
    """Scores of the classes of several tasks from one trunk."""

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        self.config = config
        self.trunk = SpectrogramTrunk(config.channels)
        self.features = nn.Sequential(nn.Linear(2 * config.channels[-1], config.feature_size), nn.GELU())
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict({task: nn.Linear(config.feature_size, len(n)) for task, n in config.tasks.items()})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a trained classifier, ready to judge.

        Raises:
            CheckpointError: if the folder holds no classifier.
        """
        stored = checkpoint.load_model(folder, ClassifierConfig)
        model = cls(stored.config)
        checkpoint.load_into(model, stored.tensors(), str(folder))
        return model.eval()

    def forward(self, mel: Tensor) -> Judged:
        """Judges windows of log-mel [B, M, T], each alone."""
        maps = ((mel.clamp_min(_FLOOR) - _CENTRE) / _SPREAD)[:, None]
        maps = self.trunk(maps.contiguous(memory_format=torch.channels_last)).flatten(2)
        features = self.features(torch.cat([maps.mean(-1), maps.amax(-1)], dim=1))
        dropped = self.dropout(features)
        return Judged(features, {task: head(dropped) for task, head in self.heads.items()})

    @torch.inference_mode()
    def judge(self, mels: Sequence[Tensor]) -> Judged:
        """Judges whole clips: the mean over their windows.

        Args:
            mels: a log-mel [M, T] for each clip, of any length.
        """
        windows = [window for mel in mels for window in self._windows(mel)]
        owners = torch.tensor([i for i, mel in enumerate(mels) for _ in self._windows(mel)])
        parts = [self(torch.stack(windows[at : at + _BATCH])) for at in range(0, len(windows), _BATCH)]
        count = torch.bincount(owners, minlength=len(mels))[:, None]

        def mean(rows: list[Tensor]) -> Tensor:
            values = torch.cat(rows)
            return values.new_zeros(len(mels), values.shape[1]).index_add_(0, owners, values) / count

        scores = {task: mean([part.scores[task] for part in parts]) for task in self.config.tasks}
        return Judged(mean([part.features for part in parts]), scores)

    def _windows(self, mel: Tensor) -> Iterator[Tensor]:
        """Windows [M, window] side by side; the last is filled with silence, and left out if nearly empty."""
        frames, window = mel.shape[-1], self.config.window_frames
        # A clip of 5.1 s is one window: its last tenth would be judged as 4.9 s of silence.
        for at in range(0, max(frames - window // 5, 1), window):
            part = mel[:, at : at + window]
            yield nn.functional.pad(part, (0, window - part.shape[-1]), value=_FLOOR)
