"""Training of a tokenizer: one YAML file, one run folder, resumable to the step.

The objective is the decoder's loss plus the quantizer's own term and, where a run asks for it, a cross-entropy that has
every code name the label of the sound it lies in. One "epoch" is the stretch between two validations; checkpoints are
written at its end, so that a resumed run continues on an epoch's first example.
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pydantic import Field
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader

from makesomenoise import checkpoint
from makesomenoise.config import Config
from makesomenoise.data.clips import NO_LABEL, AugmentConfig, ClipStore, Crops, EpochSampler, frequent_labels
from makesomenoise.data.manifest import read_clips
from makesomenoise.metrics.codebook import perplexity
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.encoder import FRAMES_PER_CODE
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.fitting import RunConfig, fit

_log = logging.getLogger(__name__)
_LABEL_HIDDEN = 256


class DataConfig(Config):
    """What a run learns from.

    Attributes:
        train: shards or folders.
        valid: shards or folders.
        crop_codes: length of a crop, codes.
        halved_until: share of the training during which each crop is two crops of half the length.
        augment: how crops are varied.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_codes: int = 128
    halved_until: float = 0.5
    augment: AugmentConfig = AugmentConfig()
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 64


class LabelConfig(Config):
    """The loss that asks codes to name their sound.

    Attributes:
        weight: its weight; 0 is the pure method.
        minimum: labels of fewer training clips are left out.
        smoothing: share of the target that is spread over all labels.
    """

    weight: float = 0.0
    minimum: int = 8
    smoothing: float = 0.1


class OptimiserConfig(Config):
    """How the weights move.

    Attributes:
        learning_rate: highest rate of AdamW; falls as a cosine to a twentieth.
        warmup_steps: steps over which it rises from 0.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        average: decay of the moving average of weights that is shipped.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998


class TokenizerTrainingConfig(Config):
    """A whole run.

    Attributes:
        model: the tokenizer.
        data: what it learns from.
        label: the label loss.
        optimiser: how the weights move.
        run: length, seed and machine.
    """

    model: TokenizerConfig = TokenizerConfig()
    data: DataConfig
    label: LabelConfig = LabelConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    run: RunConfig = Field(default_factory=RunConfig)


class TokenizerTraining(lightning.LightningModule):
    """The step, the validation and the moving average.

    Args:
        config: the run.
        labels: names that the label loss tells apart.
        folder: receives the averaged model at each validation.
    """

    def __init__(self, config: TokenizerTrainingConfig, labels: Sequence[str], folder: Path):
        super().__init__()
        self.config = config
        self.folder = folder
        with torch.random.fork_rng():
            torch.manual_seed(config.run.seed)
            self.network = TokenizerNetwork(config.model)
            self.label_head = _label_head(config.model.encoder.latent_dim, len(labels)) if labels else None
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._valid: list[dict[str, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """The loss of one batch, a scalar."""
        progress = self.global_step / self.config.run.steps
        waveform, labels = batch["waveform"], batch["labels"]
        if progress < self.config.data.halved_until:
            waveform, labels = _halved(waveform), _halved(labels)
        losses = self.network(waveform, progress, self._generator(self.global_step))
        named = self._label_loss(losses.latents, labels) + self._label_loss(losses.quantized.latents, labels)
        total = losses.reconstruction + losses.quantized.loss + self.config.label.weight * named / 2
        values = {"loss": total, "reconstruction": losses.reconstruction, "quantizer": losses.quantized.loss}
        self.log_dict({f"train/{k}": v.detach() for k, v in values.items()} | {"train/label": named.detach() / 2})
        return total

    def on_train_batch_end(self, *_args: object, **_kwargs: object) -> None:
        """Moves the average towards the weights."""
        decay = min(self.config.optimiser.average, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                kept.lerp_(new, 1.0 - decay) if kept.is_floating_point() else kept.copy_(new)

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Losses and codes of the averaged model on fixed crops."""
        losses = self.average(batch["waveform"], 1.0, self._generator(10**9 + number))
        codes = self.average.quantizer.encode(losses.latents)
        right, known = self._named_right(self.average.quantizer.decode(codes), batch["labels"])
        self._valid.append({"loss": losses.reconstruction, "codes": codes, "right": right, "known": known})
        if number == 0:  # decoding takes many evaluations of the network: the first batch stands for all
            self._decode_examples(batch["waveform"], codes)

    def _decode_examples(self, waveform: Tensor, codes: Tensor) -> None:
        mel = self.average.normalise(self.average.mel(waveform))
        noise = torch.randn(mel.shape, generator=self._generator(10**9), device=mel.device)
        decoded = self.average.decoder.decode(self.average.quantizer.decode(codes), noise, None, None)
        self.log("valid/mel_l1", (decoded - mel).abs().mean() * self.config.model.scale.deviation, sync_dist=True)
        if self.trainer.is_global_zero and self.logger is not None:
            picture = torch.cat((mel[:4], decoded[:4]), dim=-1).flatten(0, 1).flip(0)
            picture = ((picture + 2.5) / 4.5).clamp(0, 1)  # from the floor of the mel to its loudest
            self.logger.experiment.add_image(  # pyright: ignore[reportAttributeAccessIssue] - a TensorBoardLogger
                "valid/original_and_decoded", picture[None], self.global_step
            )

    def on_validation_epoch_end(self) -> None:
        """Logs the figures and writes the averaged model."""
        steps, self._valid = self._valid, []
        codes = torch.cat([s["codes"].flatten() for s in steps])
        right, known = (torch.stack([s[name] for s in steps]).sum() for name in ("right", "known"))
        values = {"loss": torch.stack([s["loss"] for s in steps]).mean()}
        values["perplexity"] = torch.tensor(perplexity(codes, self.network.quantizer.codebook_size))
        values["label_accuracy"] = right / known.clamp_min(1)
        self.log_dict({f"valid/{k}": v.float() for k, v in values.items()}, sync_dist=True)
        if not self.trainer.is_global_zero or self.trainer.sanity_checking:
            return
        _log.info("step %d: %s", self.global_step, {k: round(float(v), 4) for k, v in values.items()})
        checkpoint.save_model(self.folder / "model", self.config.model, self.average.state_dict(), half=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with a linear warm-up and a cosine decay."""
        config = self.config.optimiser
        trained = [*self.network.parameters(), *(self.label_head.parameters() if self.label_head is not None else ())]
        groups = [
            {"params": [p for p in trained if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        warmup, steps = self.config.optimiser.warmup_steps, self.config.run.steps
        progress = min(max(step - warmup, 0) / max(steps - warmup, 1), 1.0)
        falling = 0.525 + 0.475 * float(torch.cos(torch.tensor(progress * torch.pi)))
        return min((step + 1) / max(warmup, 1), falling)

    def _generator(self, number: int) -> torch.Generator:
        """Randomness of one step on one device: what makes a resumed run the same run."""
        seed = (self.config.run.seed * 1_000_003 + number) * 1024 + self.global_rank
        return torch.Generator(self.device).manual_seed(seed)

    def _label_loss(self, latents: Tensor, labels: Tensor) -> Tensor:
        if self.label_head is None or not (labels != NO_LABEL).any():
            return latents.new_zeros(())
        smoothing = self.config.label.smoothing
        logits = self.label_head(latents)
        return nn.functional.cross_entropy(logits, labels, ignore_index=NO_LABEL, label_smoothing=smoothing)

    def _named_right(self, latents: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.label_head is None:
            return labels.new_zeros(()), labels.new_zeros(())
        known = labels != NO_LABEL
        return ((self.label_head(latents).argmax(1) == labels) & known).sum(), known.sum()


def _label_head(dim: int, count: int) -> nn.Module:
    # It sees one position at a time: what it learns to read must be in the code itself.
    return nn.Sequential(nn.Conv1d(dim, _LABEL_HIDDEN, 1), nn.GELU(), nn.Conv1d(_LABEL_HIDDEN, count, 1))


def _halved(x: Tensor) -> Tensor:
    return x.reshape(2 * len(x), -1)


def train_tokenizer(config: TokenizerTrainingConfig, run_folder: str | Path, resume: bool = False) -> Path:
    """Trains a tokenizer.

    Args:
        config: the run.
        run_folder: receives config, checkpoints, curves, and the model folder `model`.
        resume: continue the run that the folder holds.

    Returns:
        The model folder.

    Raises:
        RunError: if the folder already holds a run and `resume` is false.
        ManifestError: if the data cannot be read.
    """
    folder, data, unit = Path(run_folder), config.data, config.model.mel.hop_samples * FRAMES_PER_CODE
    rate = config.model.mel.sample_rate
    clips = read_clips(data.train)
    labels = frequent_labels(clips, config.label.minimum) if config.label.weight > 0 else []
    length = data.crop_codes * unit
    train = Crops(ClipStore(clips, rate, data.cache), length, unit, labels, data.augment, config.run.seed)
    valid = Crops(ClipStore(read_clips(data.valid), rate, data.cache), length, unit, labels, None, seed=1)

    def loaders(rank: int, world: int) -> tuple[DataLoader, DataLoader]:
        sampler = EpochSampler(config.run.valid_every * config.run.batch_size, rank, world)
        settings = {
            "batch_size": config.run.batch_size,
            "num_workers": data.workers,
            "pin_memory": torch.cuda.is_available(),
        }
        return (
            DataLoader(train, sampler=sampler, persistent_workers=data.workers > 0, **settings),
            DataLoader(valid, sampler=range(rank, data.valid_crops, world), **settings),
        )

    module = TokenizerTraining(config, labels, folder)
    fit(module, loaders, config, config.run, config.optimiser.clip, folder, resume)
    return folder / "model"
