"""Training of the iSTFT vocoder: reconstruction in several mel scales first, then against discriminators as well."""

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as lightning
import torch
from pydantic import Field
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor, nn

from makesomenoise import checkpoint, model_folder
from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config
from makesomenoise.data.clips import AugmentConfig, ClipStore, Crops, Sequences
from makesomenoise.data.manifest import Clip, read_clips, read_training_clips
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.training.discriminators import (
    Discriminators,
    DiscriminatorsConfig,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from makesomenoise.training.optimization import OptimizerConfig, adamw, update_ema
from makesomenoise.training.run import LightningTrainingConfig, endless, fit
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.vocos import IstftVocoder

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LOG_EVERY = 20
_PICTURES = 4
_OPTIMIZER = OptimizerConfig(learning_rate=8e-4, decay="cosine", decay_fraction=1.0, final_factor=0.0)

_log = logging.getLogger(__name__)
# Below -100 dB nothing is heard, and the logarithm of almost nothing would dominate the distance.
_QUIETEST = -11.5


class MelScale(Config):
    """One resolution at which two sounds are compared.

    Attributes:
        n_fft: window, samples; frames are a quarter of it apart.
        n_mels: number of bands.
    """

    n_fft: int
    n_mels: int


class MelScales(nn.Module):
    """Mean absolute difference of log-mels, averaged over several resolutions."""

    def __init__(self, scales: Sequence[MelScale], sample_rate: int):
        super().__init__()
        self.mels = nn.ModuleList(
            LogMel(MelConfig(sample_rate=sample_rate, n_fft=s.n_fft, hop_samples=s.n_fft // 4, n_mels=s.n_mels))
            for s in scales
        )

    def forward(self, waveform: Tensor, target: Tensor) -> Tensor:
        """Distance of two batches of waveforms [B, S], a scalar in nepers."""
        distances = [
            (mel(waveform).clamp_min(_QUIETEST) - mel(target).clamp_min(_QUIETEST)).abs().mean() for mel in self.mels
        ]
        return torch.stack(distances).mean()


class VocoderDataConfig(Config):
    """What the vocoder learns from.

    Attributes:
        train: shards or folders to learn from.
        valid: shards or folders to check on.
        crop_seconds: length of a crop, made a whole number of frames; `Crops` leaves shorter stretches silent.
        augment: how crops are varied, or none for not at all.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_seconds: float = Field(0.768, ge=0.256)
    augment: AugmentConfig | None = None
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 64


class GanConfig(Config):
    """What the vocoder is asked for, and by whom.

    Attributes:
        scales: resolutions at which mels are compared.
        mel_weight: weight of that distance.
        feature_weight: weight of the distance of the discriminators' activations.
        discriminator_start_step: steps before the discriminators enter; these are cheap.
        discriminator_batch_size: how many crops of a batch the discriminators see; they cost more than the vocoder.
        discriminator_every: the discriminators learn once in so many steps.
        discriminators: their sizes.
    """

    scales: tuple[MelScale, ...]
    mel_weight: float = 15.0
    feature_weight: float = 2.0
    discriminator_start_step: int = 2500
    discriminator_batch_size: int = 4
    discriminator_every: int = 1
    discriminators: DiscriminatorsConfig = DiscriminatorsConfig()


class VocoderTrainingConfig(LightningTrainingConfig):
    """A whole run.

    Attributes:
        model: the vocoder.
        init_from: vocoder to start from, a model folder or a bundled name, or none.
        data: what it learns from.
        gan: losses and discriminators.
        optimizer: how the weights move.
    """

    model: IstftVocoderConfig = IstftVocoderConfig()
    init_from: str | None = None
    data: VocoderDataConfig
    gan: GanConfig
    optimizer: OptimizerConfig = _OPTIMIZER

    @property
    def crop_samples(self) -> int:
        """Length of a crop, a whole number of frames."""
        mel = self.model.mel
        return max(1, round(self.data.crop_seconds * mel.frame_rate)) * mel.hop_samples


class VocoderTraining(lightning.LightningModule):
    """The step, the validation and the moving average.

    Args:
        config: the run.
        folder: receives the averaged model at each validation.
    """

    def __init__(self, config: VocoderTrainingConfig, folder: Path):
        super().__init__()
        self.automatic_optimization = False
        self.config, self.folder = config, folder
        with torch.random.fork_rng():
            torch.manual_seed(config.run.seed)
            self.vocoder = IstftVocoder(config.model)
            if config.init_from is not None:
                state = checkpoint.load_state(model_folder.resolve(config.init_from))
                checkpoint.load_into(self.vocoder, state, config.init_from)
            self.discriminators = Discriminators(config.gan.discriminators)
        self.average = copy.deepcopy(self.vocoder).requires_grad_(False).eval()
        self.log_mel = LogMel(config.model.mel)
        self.distance = MelScales(config.gan.scales, config.model.mel.sample_rate)
        self._steps = 0

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One optimizer for the vocoder and one for the discriminators."""
        settings, betas = self.config.optimizer, (0.8, 0.9)  # a short memory, as against opponents that move
        networks = (self.vocoder, self.discriminators)
        return [adamw(n.parameters(), settings.learning_rate, settings.weight_decay, betas) for n in networks]

    def training_step(self, batch: dict[str, Tensor], number: int) -> None:
        """One step of the vocoder and, once they have entered, of the discriminators."""
        gan, waveform = self.config.gan, batch["waveform"]
        self._steps = self.current_epoch * self.config.run.valid_every + number
        vocoded = self.vocoder(self.log_mel(waveform))
        losses = {"mel": self.distance(vocoded, waveform)}
        if self._steps >= gan.discriminator_start_step:
            real, fake = waveform[: gan.discriminator_batch_size], vocoded[: gan.discriminator_batch_size]
            if self._steps % gan.discriminator_every == 0:
                losses["discriminator"] = self._teach_discriminators(real, fake.detach())
            losses |= self._judge(real, fake)
        losses["gradient"] = self._teach_vocoder(losses)
        update_ema(self.average, self.vocoder, self.config.optimizer.ema_decay, self._steps)
        self._report(losses)

    def _teach_discriminators(self, real: Tensor, fake: Tensor) -> Tensor:
        verdicts = self.discriminators(torch.cat([real, fake]))
        loss = discriminator_loss(*_halves(verdicts))
        self._step(1, self.discriminators, loss, self.config.gan.discriminator_start_step)
        return loss

    def _judge(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        with _frozen(self.discriminators):
            with torch.no_grad():
                expected = self.discriminators(real)
            verdicts = self.discriminators(fake)
        return {"adversarial": adversarial_loss(verdicts), "feature": feature_loss(expected, verdicts)}

    def _teach_vocoder(self, losses: dict[str, Tensor]) -> Tensor:
        loss = self.config.gan.mel_weight * losses["mel"]
        if "feature" in losses:
            loss = loss + losses["adversarial"] + self.config.gan.feature_weight * losses["feature"]
        return self._step(0, self.vocoder, loss, 0)

    def _step(self, number: int, network: nn.Module, loss: Tensor, entered: int) -> Tensor:
        """Moves one network, which has learnt since step `entered`; gives the norm of its gradient."""
        optimizers, settings = self.optimizers(), self.config.optimizer
        assert isinstance(optimizers, list)
        steps = self.config.run.steps - entered
        optimizer = optimizers[number]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * settings.factor(self._steps - entered, steps)
        optimizer.zero_grad()
        self.manual_backward(loss)
        norm = nn.utils.clip_grad_norm_(network.parameters(), settings.grad_clip)
        optimizer.step()
        return norm

    def _report(self, losses: dict[str, Tensor]) -> None:
        self.log("mel", losses["mel"].detach(), prog_bar=True, logger=False)
        if self._steps % _LOG_EVERY == 0:
            self._write({f"train/{name}": float(value.detach()) for name, value in losses.items()})

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Distances of the averaged vocoder on fixed crops."""
        waveform = batch["waveform"]
        mel = self.log_mel(waveform)
        vocoded = self.average(mel)
        again = self.log_mel(vocoded)
        values = {"valid/mel_scales": self.distance(vocoded, waveform), "valid/log_mel": (again - mel).abs().mean()}
        self.log_dict(values, logger=False, sync_dist=True, batch_size=len(waveform))
        if number == 0 and self.trainer.is_global_zero and isinstance(self.logger, TensorBoardLogger):
            figure = mel_figure(mel[:_PICTURES], again[:_PICTURES], titles=("original", "vocoded"))
            self.logger.experiment.add_figure("valid/mels", figure, self._steps)

    def on_validation_epoch_end(self) -> None:
        """Logs the means and writes the averaged model."""
        metrics = self.trainer.callback_metrics
        values = {name: float(metrics[name]) for name in ("valid/mel_scales", "valid/log_mel")}
        self._write(values)
        if self.trainer.is_global_zero:
            _log.info("step %d: %s", self._steps + 1, {name: round(value, 4) for name, value in values.items()})
            self.average.save(self.folder / "model", storage="float16")

    def _write(self, values: dict[str, float]) -> None:
        if self.logger is not None:
            self.logger.log_metrics(values, step=self._steps)


def train_vocoder(config: VocoderTrainingConfig, run_folder: str | Path, resume: bool = False) -> Path:
    """Trains a vocoder.

    Args:
        config: the run.
        run_folder: receives config, checkpoints, curves, and the model folder `model`.
        resume: continue the run that the folder holds.

    Returns:
        The model folder.

    Raises:
        RunError: if the folder holds a run and `resume` is false, or the other way round.
        ManifestError: if the data cannot be read, or clips to train on are marked for evaluation.
        CheckpointError: if the weights to start from do not fit.
    """
    folder, data, run = Path(run_folder), config.data, config.run
    train = _crops(config, read_training_clips(data.train), data.augment, run.seed)
    valid = _crops(config, read_clips(data.valid), None, 0)

    loaders = endless(train, valid, data.valid_crops, data.workers, run)
    fit(VocoderTraining(config, folder), loaders, config, folder, resume)
    return folder / "model"


def _crops(config: VocoderTrainingConfig, clips: list[Clip], augment: AugmentConfig | None, seed: int) -> Crops:
    store = ClipStore(clips, config.model.mel.sample_rate, config.data.cache)
    return Crops(store, config.crop_samples, config.crop_samples, Sequences(clips), augment, seed)


def _halves(verdicts: list[list[Tensor]]) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    pairs = [[activation.chunk(2) for activation in verdict] for verdict in verdicts]
    return [[p[0] for p in pair] for pair in pairs], [[p[1] for p in pair] for pair in pairs]


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def mel_figure(*rows: Tensor, titles: tuple[str, ...]) -> "Figure":
    """Picture of log-mels [B, M, T]: a row for each argument, a column for each item of the batch."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and needed for pictures alone

    figure = Figure(figsize=(3 * len(rows[0]), 2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for line, mels, title in zip(axes, rows, titles, strict=True):
        for axis, mel in zip(line, mels, strict=True):
            axis.imshow(mel.float().cpu().numpy(), origin="lower", aspect="auto", vmin=_QUIETEST, vmax=4.0)
            axis.set(title=title, xlabel="frame", ylabel="band")
    return figure
