"""Training of a tokenizer: one YAML file, one run folder, resumable to the step.

The objective is the decoder's loss plus the quantizer's own term and, where a run asks for it, a cross-entropy that has
every code name the label of the sound it lies in. One "epoch" is the stretch between two validations; checkpoints are
written at its end, so that a resumed run continues on an epoch's first example.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pydantic import Field
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.peaks import peak_shares
from makesomenoise.config import Config
from makesomenoise.data.clips import AugmentConfig, ClipStore, Crops, Sequences, frequent_labels
from makesomenoise.data.manifest import Clip, read_clips
from makesomenoise.metrics.codebook import perplexity
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.encoder import FRAMES_PER_CODE
from makesomenoise.tokenizer.network import Passed, TokenizerNetwork
from makesomenoise.training.asked import LabelConfig, LabelVotes, Outline, OutlineConfig, Peaks, PeaksConfig
from makesomenoise.training.fitting import RunConfig, endless, fit
from makesomenoise.training.likeness import Likeness, LikenessConfig
from makesomenoise.training.optimiser import OptimiserConfig, follow, optimisers

_log = logging.getLogger(__name__)


class DataConfig(Config):
    """What a run learns from.

    Attributes:
        train: shards or folders.
        valid: shards or folders.
        crop_codes: length of a crop, codes.
        halved_until: share of the training during which each crop is two crops of half the length.
        shares: share of the examples that start with a clip of a dataset; the rest goes to all others.
        augment: how crops are varied.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_codes: int = 128
    halved_until: float = 0.5
    shares: dict[str, float] = Field(default_factory=dict)
    augment: AugmentConfig = AugmentConfig()
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 64


class TokenizerTrainingConfig(Config):
    """A whole run.

    Attributes:
        model: the tokenizer.
        scene: model folder of a trained scene branch to start from (see `training.encoder`), or none.
        start: tokenizer to start from, a model folder or a bundled name, or none.
        keep_codes: only the decoder learns, so that sound which was encoded before can still be decoded.
        asked_until: share of the training during which the decoder waits, and encoder and quantizer learn from what
            codes are asked alone. Such a step costs half, and codes that have learned to tell pitch keep doing so,
            while a decoder that comes first leaves no room for it.
        data: what it learns from.
        label: the loss that asks codes for labels.
        outline: the loss that asks codes for outlines.
        peaks: the loss that asks codes which bands stand out.
        likeness: the loss that looks at the decoder's predictions.
        optimiser: how the weights move.
        run: length, seed and machine.
    """

    model: TokenizerConfig = TokenizerConfig()
    scene: str | None = None
    start: str | None = None
    keep_codes: bool = False
    asked_until: float = 0.0
    data: DataConfig
    label: LabelConfig = LabelConfig()
    outline: OutlineConfig = OutlineConfig()
    peaks: PeaksConfig = PeaksConfig()
    likeness: LikenessConfig = LikenessConfig()
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
            for module, source in ((self.network.encoder.scene, config.scene), (self.network, config.start)):
                if source is not None:
                    checkpoint.load_into(module, checkpoint.load_state(checkpoint.resolve(source)), source)
            if config.keep_codes:
                for module in self._coding():
                    module.requires_grad_(False)
            dim = config.model.encoder.latent_dim
            self.votes = LabelVotes(config.label, dim, len(labels)) if labels else None
            self.outline = Outline(dim, config.model.mel.n_mels) if config.outline.weight else None
            self.peaks = Peaks(dim, config.model.mel.n_mels) if config.peaks.weight else None
            look = config.likeness
            self.likeness = Likeness(look.scene, config.model.mel.n_mels) if look.scene and look.weight else None
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._valid: list[dict[str, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """The loss of one batch, a scalar."""
        progress = self.global_step / self.config.run.steps
        waveform, labels = batch["waveform"], batch["labels"]
        if progress < self.config.data.halved_until:
            waveform, labels = _halved(waveform), _halved(labels)
        generator, decoding = self._generator(self.global_step), progress >= self.config.asked_until
        passed = self.network(waveform, progress, generator, self.config.keep_codes, decoding)
        losses = {"quantizer": passed.quantized.loss}
        total = losses["quantizer"]
        if passed.reconstruction is not None:
            losses["reconstruction"] = passed.reconstruction.loss
            total = total + losses["reconstruction"]
        if self.votes is not None:
            losses["label"] = _of_both(self.votes.loss, passed, labels)
            total = total + self.config.label.weight * losses["label"]
        if self.outline is not None:
            losses["outline"] = self.outline.loss(passed.quantized.latents, passed.mel)
            total = total + self.config.outline.weight * losses["outline"]
        if self.peaks is not None:
            losses["peaks"] = _of_both(self.peaks.loss, passed, peak_shares(passed.mel))
            total = total + self.config.peaks.weight * losses["peaks"]
        if self.likeness is not None and passed.reconstruction is not None:
            losses["likeness"] = self.likeness(passed.reconstruction.mel, passed.mel)
            total = total + self.config.likeness.weight * losses["likeness"]
        self.log_dict({f"train/{k}": v.detach() for k, v in {"loss": total, **losses}.items()})
        return total

    def on_train_epoch_start(self) -> None:
        """Keeps the moving statistics of what must not change."""
        if self.config.keep_codes:
            for module in self._coding():
                module.eval()

    def _coding(self) -> list[nn.Module]:
        """What decides on the codes."""
        return [self.network.encoder, self.network.get_submodule("quantizer")]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bounds the gradient; Lightning's own clipping refuses a fused optimiser beside mixed precision."""
        del optimizer
        nn.utils.clip_grad_norm_(self.parameters(), self.config.optimiser.clip)

    def on_train_batch_end(self, *_args: object, **_kwargs: object) -> None:
        """Moves the average towards the weights; what must not change is left alone to the bit, signs of zeros too."""
        moved = "decoder" if self.config.keep_codes else ""
        kept, new = (network.get_submodule(moved) for network in (self.average, self.network))
        follow(kept, new, self.config.optimiser, self.global_step)

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Losses and codes of the averaged model on fixed crops."""
        passed = self.average(batch["waveform"], 1.0, self._generator(10**9 + number), self.config.keep_codes)
        codes = self.average.quantizer.encode(passed.latents)
        found = {"loss": passed.reconstruction.loss, "codes": codes}
        if self.votes is not None:
            named = self.votes.right(self.average.quantizer.decode(codes), batch["labels"])
            found |= {"right": named[0], "known": named[1]}
        self._valid.append(found)
        if number == 0:  # decoding takes many evaluations of the network: the first batch stands for all
            self._decode_examples(batch["waveform"], codes)

    def _decode_examples(self, waveform: Tensor, codes: Tensor) -> None:
        mel = self.config.model.scale.normalise(self.average.mel(waveform))
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
        values = {"loss": torch.stack([s["loss"] for s in steps]).mean()}
        values["perplexity"] = torch.tensor(perplexity(codes, self.network.quantizer.codebook_size))
        if self.votes is not None:
            right, known = (torch.stack([s[name] for s in steps]).sum() for name in ("right", "known"))
            values["label_accuracy"] = right / known.clamp_min(1)
        self.log_dict({f"valid/{k}": v.float() for k, v in values.items()}, sync_dist=True)
        if not self.trainer.is_global_zero or self.trainer.sanity_checking:
            return
        _log.info("step %d: %s", self.global_step, {k: round(float(v), 4) for k, v in values.items()})
        checkpoint.save_model(self.folder / "model", self.config.model, self.average.state_dict(), storage="float16")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """See `optimisers`."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return optimisers(trained, self.config.optimiser, self.config.run.steps)

    def _generator(self, number: int) -> torch.Generator:
        """Randomness of one step on one device: what makes a resumed run the same run."""
        seed = (self.config.run.seed * 1_000_003 + number) * 1024 + self.global_rank
        return torch.Generator(self.device).manual_seed(seed)


def _of_both(loss: Callable[[Tensor, Tensor], Tensor], passed: Passed, target: Tensor) -> Tensor:
    """Mean of what a loss asks of latents before and after quantization."""
    return (loss(passed.latents, target) + loss(passed.quantized.latents, target)) / 2


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
        CheckpointError: if the scene branch to start from does not fit.
    """
    folder, data, unit = Path(run_folder), config.data, config.model.mel.hop_samples * FRAMES_PER_CODE
    rate = config.model.mel.sample_rate
    clips = read_clips(data.train)
    labels = frequent_labels(clips, config.label.minimum) if config.label.weight > 0 else []
    length = data.crop_codes * unit

    def crops(clips: Sequence[Clip], augment: AugmentConfig | None, seed: int) -> Crops:
        sequences = Sequences(clips, labels, data.shares)
        return Crops(ClipStore(clips, rate, data.cache), length, unit, sequences, augment, seed)

    train, valid = crops(clips, data.augment, config.run.seed), crops(read_clips(data.valid), None, 1)

    loaders = endless(train, valid, data.valid_crops, data.workers, config.run)
    module = TokenizerTraining(config, labels, folder)
    fit(module, loaders, config, config.run, folder, resume)
    return folder / "model"
