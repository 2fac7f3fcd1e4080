"""The event classifier: a small convolutional network that names the sound in a log-mel, and its training.

It is the judge of what survives coding, never a part of the tokenizer. It learns from the originals of a corpus, and
sees no decoded sound and no validation clip.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config, ModelConfig
from makesomenoise.data.clips import ClipStore, frequent_labels
from makesomenoise.data.manifest import Clip
from makesomenoise.data.mels import SILENCE, MelAugmentConfig, MelStore, mixed, mixed_targets, varied
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
class ClassifierOutput:
    """What the classifier says of clips.

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
        """Reads a trained classifier, ready to classify.

        Raises:
            CheckpointError: if the folder holds no classifier.
        """
        stored = checkpoint.load_model(folder, ClassifierConfig)
        model = cls(stored.config)
        checkpoint.load_into(model, stored.tensors(), str(folder))
        return model.eval()

    def forward(self, mel: Tensor) -> ClassifierOutput:
        """Scores windows of log-mel [B, M, T], each alone."""
        maps = ((mel.clamp_min(_FLOOR) - _CENTRE) / _SPREAD)[:, None]
        maps = self.trunk(maps.contiguous(memory_format=torch.channels_last)).flatten(2)
        features = self.features(torch.cat([maps.mean(-1), maps.amax(-1)], dim=1))
        dropped = self.dropout(features)
        return ClassifierOutput(features, {task: head(dropped) for task, head in self.heads.items()})

    @torch.inference_mode()
    def classify(self, mels: Sequence[Tensor]) -> ClassifierOutput:
        """Scores whole clips: the mean over their windows.

        Args:
            mels: a log-mel [M, T] for each clip, of any length.
        """
        windows = [window for mel in mels for window in self._windows(mel)]
        owners = torch.tensor([i for i, mel in enumerate(mels) for _ in self._windows(mel)])
        outputs = [self(torch.stack(windows[at : at + _BATCH])) for at in range(0, len(windows), _BATCH)]
        count = torch.bincount(owners, minlength=len(mels))[:, None]

        def mean(rows: list[Tensor]) -> Tensor:
            values = torch.cat(rows)
            return values.new_zeros(len(mels), values.shape[1]).index_add_(0, owners, values) / count

        scores = {task: mean([output.scores[task] for output in outputs]) for task in self.config.tasks}
        return ClassifierOutput(mean([output.features for output in outputs]), scores)

    def _windows(self, mel: Tensor) -> Iterator[Tensor]:
        """Windows [M, window] side by side; the last is filled with silence, and left out if nearly empty."""
        frames, window = mel.shape[-1], self.config.window_frames
        # A clip of 5.1 s is one window: its last tenth would be judged as 4.9 s of silence.
        for at in range(0, max(frames - window // 5, 1), window):
            part = mel[:, at : at + window]
            yield nn.functional.pad(part, (0, window - part.shape[-1]), value=_FLOOR)


_log = logging.getLogger(__name__)
_LABEL_TASK = "label"
_LOG_EVERY = 200


class ClassifierTrainingConfig(Config):
    """How the event classifier is trained.

    Attributes:
        steps: updates.
        batch_size: clips in an update.
        learning_rate: highest rate of the one-cycle schedule.
        weight_decay: of AdamW.
        exact_datasets: datasets with exact labels, each a task of its own.
        min_clips_per_label: a label of the other datasets is learned, as a help to the trunk, if so many clips have it.
        exact_fraction: share of examples from `exact_datasets`.
        mixup_alpha: of the Beta distribution of mixing weights; 0 mixes nothing, right for runs of 2000 steps.
        seed: decides the initial weights and every random choice.
    """

    steps: int = 8000
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    exact_datasets: tuple[str, ...] = ("esc50", "urbansound8k")
    min_clips_per_label: int = 8
    exact_fraction: float = 0.7
    mixup_alpha: float = 0.3
    seed: int = 0


def train_classifier(
    store: ClipStore, folder: str | Path, training: ClassifierTrainingConfig | None = None
) -> EventClassifier:
    """Trains a classifier and writes it to `folder`.

    Args:
        store: training clips; their dataset, kind and label are what is learned.
        folder: model folder to write.
        training: settings.
    """
    training = training or ClassifierTrainingConfig()
    config = ClassifierConfig(tasks=_tasks(store.clips, training))
    mel, started = MelStore(store, config.mel), time.monotonic()
    mels = [torch.from_numpy(mel.mel(i)).T.half() for i in range(len(store))]
    _log.info("log-mels of %d clips took %.0f s", len(mels), time.monotonic() - started)
    model = fit(config, store.clips, mels, training)
    checkpoint.save_model(folder, config, model.state_dict())
    return model


def fit(
    config: ClassifierConfig, clips: Sequence[Clip], mels: Sequence[Tensor], training: ClassifierTrainingConfig
) -> EventClassifier:
    """Trains a classifier on log-mels held in memory.

    Args:
        config: the network and its tasks.
        clips: what is known of each clip.
        mels: the log-mel [M, T] of each clip.
        training: settings.

    Returns:
        The classifier, ready to classify.
    """
    # Initial weights and dropout can only draw from the global generator: it is borrowed and put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        model = EventClassifier(config).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, training.steps, pct_start=0.15
        )
        batches = TrainingBatches(config, clips, mels, training)
        for step in range(training.steps):
            mel, targets = batches.batch(step)
            loss = _loss(model, mel, targets, batches.log_priors)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            if step % _LOG_EVERY == 0:
                _log.info("classifier step %d of %d, loss %.3f", step, training.steps, loss.item())
    return model.eval()


class TrainingBatches:
    """Batches of augmented windows; batch `n` depends on the seed and on `n` alone."""

    def __init__(
        self,
        config: ClassifierConfig,
        clips: Sequence[Clip],
        mels: Sequence[Tensor],
        training: ClassifierTrainingConfig,
    ):
        self._config, self._mels, self._training = config, mels, training
        self._targets = {task: _targets(task, names, clips) for task, names in config.tasks.items()}
        exact = np.array([clip.dataset in training.exact_datasets for clip in clips])
        share = training.exact_fraction if exact.any() and not exact.all() else 0.5
        weights = np.where(exact, share / max(exact.sum(), 1), (1 - share) / max((~exact).sum(), 1))
        self._weights = weights / weights.sum()
        drawn = torch.from_numpy(self._weights).float()
        self.log_priors = {task: _log_prior(drawn @ rows) for task, rows in self._targets.items()}

    def batch(self, number: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Log-mels [B, M, window] and, for each task, class weights [B, classes] (zeros: nothing known)."""
        rng = np.random.default_rng([self._training.seed, number])
        chosen = rng.choice(len(self._mels), self._training.batch_size, p=self._weights)
        mel = torch.stack([self._window(self._mels[i].float(), rng) for i in chosen])
        targets = {task: rows[chosen] for task, rows in self._targets.items()}
        if not self._training.mixup_alpha:
            return mel, targets
        share = torch.from_numpy(
            rng.beta(self._training.mixup_alpha, self._training.mixup_alpha, self._training.batch_size)
        ).float()
        share = torch.maximum(share, 1 - share)
        partner = torch.from_numpy(rng.permutation(self._training.batch_size))
        targets = {task: mixed_targets(rows, share, partner) for task, rows in targets.items()}
        return mixed(mel, share, partner), targets

    def _window(self, mel: Tensor, rng: np.random.Generator) -> Tensor:
        window = self._config.window_frames
        frames = mel.shape[-1]
        if frames > window:
            start = int(rng.integers(0, frames - window + 1))
            mel = mel[:, start : start + window]
        else:
            before = int(rng.integers(0, window - frames + 1))
            mel = nn.functional.pad(mel, (before, window - frames - before), value=SILENCE)
        mel = mel.roll(int(rng.integers(0, window)), dims=1)
        return torch.from_numpy(varied(mel.T.numpy(), MelAugmentConfig(), rng)).T


def _loss(model: EventClassifier, mel: Tensor, targets: dict[str, Tensor], log_priors: dict[str, Tensor]) -> Tensor:
    """Sum over tasks of the cross-entropy of the clips that have a target there.

    Scores are shifted by how often a class is drawn (logit adjustment, Menon et al. 2021, eq. 10), so that unshifted
    they judge as if all classes were equally frequent: else a smear would be named after the most frequent class, and
    with two thirds of a dataset in one class that would be mostly right.
    """
    scores = model(mel).scores
    losses = [-(targets[task] * (scores[task] + log_priors[task]).log_softmax(-1)).sum() for task in scores]
    return torch.stack(losses).sum() / len(mel)


def _log_prior(drawn: Tensor) -> Tensor:
    """Log-shares of the classes [classes] of a task."""
    return (drawn / drawn.sum()).clamp_min(1e-6).log()


def _targets(task: str, names: Sequence[str], clips: Sequence[Clip]) -> Tensor:
    numbers = {name: number for number, name in enumerate(names)}
    rows = torch.zeros(len(clips), len(names))
    for row, clip in zip(rows, clips, strict=True):
        known = task in (KIND_TASK, _LABEL_TASK, clip.dataset)
        name = clip.kind if task == KIND_TASK else clip.label
        if known and name in numbers:
            row[numbers[name]] = 1.0
    return rows


def _tasks(clips: Sequence[Clip], training: ClassifierTrainingConfig) -> dict[str, tuple[str, ...]]:
    tasks = {name: sorted({clip.label for clip in clips if clip.dataset == name}) for name in training.exact_datasets}
    tasks[KIND_TASK] = sorted({clip.kind for clip in clips if clip.kind})
    tasks[_LABEL_TASK] = frequent_labels(clips, training.min_clips_per_label)
    return {task: tuple(names) for task, names in tasks.items() if names}
