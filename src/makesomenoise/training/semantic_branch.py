"""Training of the encoder's semantic branch on labels and by a teacher, before the tokenizer's own training.

Naming sounds takes hundreds of thousands of examples, drawing them far fewer: the branch sees a second of sound at a
fiftieth of the cost of the whole tokenizer. Every position of a third of a second names the label that sounds there.
"""

import copy
import logging
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pydantic import Field
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.config import Config
from makesomenoise.data.clips import NO_LABEL, ClipStore, Sequences, frequent_labels
from makesomenoise.data.manifest import Clip, read_clips, read_training_clips
from makesomenoise.data.mels import MelAugmentConfig, MelCrops, MelStore, mixed, mixed_targets
from makesomenoise.data.teaching import Teacher
from makesomenoise.nn.spectrogram import TRUNK_STRIDE
from makesomenoise.tokenizer.config import CODES_PER_POSITION, TokenizerConfig
from makesomenoise.tokenizer.encoder import SemanticBranch
from makesomenoise.training.initialization import load_semantic_branch
from makesomenoise.training.optimization import OptimizerConfig, lightning_optimizer, update_ema
from makesomenoise.training.run import LightningTrainingConfig, endless, fit
from makesomenoise.training.teacher_loss import FirstAnswers, TeacherHead, TeacherLossConfig

_log = logging.getLogger(__name__)


class SemanticBranchDataConfig(Config):
    """What a run learns from.

    Attributes:
        train: shards or folders.
        valid: shards or folders.
        crop_codes: length of a crop, codes.
        dataset_weights: share of the examples that start with a clip of a dataset; the rest goes to all others.
        min_clips_per_label: labels of fewer training clips are left out.
        augment: how crops are varied.
        mixup: parameter of the Beta distribution of mixing weights; 0 mixes nothing.
        smoothing: share of the target that is spread over all labels.
        dropout: share of the features that are hidden from the labels' layer.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_codes: int = Field(default=128, multiple_of=CODES_PER_POSITION)
    dataset_weights: dict[str, float] = Field(default_factory=dict)
    min_clips_per_label: int = 8
    augment: MelAugmentConfig = MelAugmentConfig()
    mixup: float = 0.3
    smoothing: float = 0.1
    dropout: float = 0.2
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 256


class SemanticBranchTrainingConfig(LightningTrainingConfig):
    """A whole run.

    Attributes:
        model: the tokenizer whose semantic branch is trained.
        init_from: a tokenizer whose semantic branch it starts from, or none.
        data: what it learns from.
        teacher_loss: the loss that asks for what a teacher hears.
        optimizer: how the weights move.
    """

    model: TokenizerConfig = TokenizerConfig()
    init_from: str | None = None
    data: SemanticBranchDataConfig
    teacher_loss: TeacherLossConfig = TeacherLossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()


class _Namer(nn.Module):
    """The semantic branch and a layer that names what it sees."""

    def __init__(self, config: SemanticBranchTrainingConfig, labels: int):
        super().__init__()
        model = config.model
        self.scale = model.scale
        branch = model.encoder.semantic_branch
        self.branch = SemanticBranch(branch, model.mel.n_mels)
        self.head = nn.Sequential(nn.Dropout(config.data.dropout), nn.Conv1d(branch.dim, labels, 1))

    def features(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, T] to what the branch gives, [B, C, T / 32]."""
        return self.branch(self.scale.normalise(mel))

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, T] to scores [B, labels, T / 32]."""
        return self.head(self.features(mel))


class SemanticBranchTraining(lightning.LightningModule):
    """The step, the validation and the moving average.

    Args:
        config: the run.
        labels: number of labels to tell apart.
        folder: receives the averaged branch at each validation.
        answers: what the teacher says of some examples, or none.
    """

    def __init__(
        self, config: SemanticBranchTrainingConfig, labels: int, folder: Path, answers: FirstAnswers | None = None
    ):
        super().__init__()
        self.config, self.folder, self._count = config, folder, labels
        with torch.random.fork_rng():
            torch.manual_seed(config.run.seed)
            self.network = _Namer(config, labels)
            dim = config.model.encoder.semantic_branch.dim
            self.teacher_head = answers and TeacherHead(config.teacher_loss, dim, answers)
            self._teachers = (answers.teacher,) if answers else ()
            if config.init_from is not None:
                load_semantic_branch(self.network.branch, config.init_from)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._valid: list[Tensor] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """The loss of one batch, a scalar."""
        mel, targets = batch["mel"], self._targets(batch["labels"])
        taught = batch["taught"] if self.teacher_head is not None else targets.new_zeros(len(mel), 0)
        # Dropout and mixing draw from what the step alone decides, so that a resumed run is the same run.
        seed = (self.config.run.seed * 1_000_003 + self.global_step) * 1024 + self.global_rank
        torch.manual_seed(seed)
        if self.config.data.mixup:
            draws = torch.distributions.Beta(self.config.data.mixup, self.config.data.mixup).sample((len(mel),))
            share = torch.maximum(draws, 1 - draws).to(mel)
            partner = torch.randperm(len(mel), device=mel.device)
            mel, targets = mixed(mel, share, partner), mixed_targets(targets, share, partner)
            taught = mixed_targets(taught, share, partner)
        features = self.network.features(mel)
        losses = {"label": self._loss(self.network.head(features), targets)}
        if self.teacher_head is not None:
            losses["teacher"] = self.teacher_head.loss(features, taught)
        total = torch.stack([*losses.values()]).sum()
        self.log_dict({f"train/{name}": value.detach() for name, value in {"loss": total, **losses}.items()})
        return total

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bounds the gradient; Lightning's own clipping refuses a fused optimizer beside mixed precision."""
        del optimizer
        nn.utils.clip_grad_norm_(self.parameters(), self.config.optimizer.grad_clip)

    def on_train_batch_end(self, *_args: object, **_kwargs: object) -> None:
        """Moves the average towards the weights."""
        update_ema(self.average, self.network, self.config.optimizer.ema_decay, self.global_step)

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """How often the averaged branch names what sounds."""
        labels, scores = batch["labels"], self.average(batch["mel"])
        known = labels != NO_LABEL
        right = (scores.argmax(1) == labels) & known
        self._valid.append(torch.stack((right.sum(), known.sum())))

    def on_validation_epoch_end(self) -> None:
        """Logs the figures and writes the averaged branch."""
        counts, self._valid = torch.stack(self._valid).sum(0).float(), []
        accuracy = counts[0] / counts[1].clamp_min(1)
        self.log("valid/label_accuracy", accuracy, sync_dist=True)
        if self.trainer.is_global_zero:
            _log.info("step %d: label accuracy %.4f", self.global_step, float(accuracy))
            branch = self.config.model.encoder.semantic_branch.model_copy(update={"teachers": self._teachers})
            checkpoint.save_model(self.folder / "model", branch, self.average.branch.state_dict())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """See `lightning_optimizer`."""
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return lightning_optimizer(trained, self.config.optimizer, self.config.run.steps)

    def _targets(self, labels: Tensor) -> Tensor:
        """[B, N] numbers to class weights [B, labels, N], zeros where nothing is known."""
        known = (labels != NO_LABEL)[..., None]
        smoothing = self.config.data.smoothing
        one_hot = nn.functional.one_hot(labels.clamp_min(0), self._count) * (1 - smoothing) + smoothing / self._count
        return (one_hot * known).transpose(1, 2)

    def _loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        return -(targets * scores.log_softmax(1)).sum() / targets.sum().clamp_min(1.0)


def train_semantic_branch(config: SemanticBranchTrainingConfig, run_folder: str | Path, resume: bool = False) -> Path:
    """Trains the semantic branch of an encoder.

    Args:
        config: the run.
        run_folder: receives config, checkpoints, curves, and the model folder `model`.
        resume: continue the run that the folder holds.

    Returns:
        The model folder, for `init_semantic_branch_from` in the configuration of a tokenizer's training.

    Raises:
        RunError: if the folder already holds a run and `resume` is false.
        ManifestError: if the data cannot be read, or clips to train on are marked for evaluation.
        EarError: if the teacher cannot be used.
        CheckpointError: if the tokenizer to start from does not fit.
    """
    folder, data, mel = Path(run_folder), config.data, config.model.mel
    clips = read_training_clips(data.train)
    labels = frequent_labels(clips, data.min_clips_per_label)

    def crops(
        clips: list[Clip], augment: MelAugmentConfig | None, seed: int, teacher: Teacher | None = None
    ) -> MelCrops:
        store = MelStore(ClipStore(clips, mel.sample_rate, data.cache), mel)
        sequences = Sequences(clips, labels, data.dataset_weights)
        frames = data.crop_codes // CODES_PER_POSITION * TRUNK_STRIDE
        return MelCrops(store, mel, frames, TRUNK_STRIDE, sequences, augment, seed, teacher)

    teacher = config.teacher_loss.open(clips, mel.sample_rate)
    train = crops(clips, data.augment, config.run.seed, teacher)
    valid = crops(read_clips(data.valid), None, 1)
    answers = FirstAnswers.of(teacher, train) if teacher is not None else None
    loaders = endless(train, valid, data.valid_crops, data.workers, config.run)
    fit(SemanticBranchTraining(config, len(labels), folder, answers), loaders, config, folder, resume)
    return folder / "model"
