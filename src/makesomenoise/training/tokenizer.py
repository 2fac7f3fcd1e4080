"""Training of a tokenizer: one YAML file, one run folder, resumable to the step.

The objective is the decoder's loss plus the quantizer's own term and, where a run asks for it, what codes are asked: to
name the sound they lie in, to tell its outline and its peaks. No gradient of a classifier reaches the decoder, since
such networks judge what it makes. One "epoch" is the stretch between two validations; checkpoints are written at its
end, so that a resumed run continues on an epoch's first example.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytorch_lightning as lightning
import torch
from pydantic import Field, model_validator
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.peaks import peak_shares
from makesomenoise.config import Config
from makesomenoise.data.clips import AugmentConfig, ClipStore, Crops, Sequences, frequent_labels
from makesomenoise.data.manifest import Clip, read_clips, read_training_clips
from makesomenoise.data.teaching import Teacher
from makesomenoise.metrics import perplexity
from makesomenoise.model_folder import load_config, resolve
from makesomenoise.nn.across import own_rows
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, FlowConfig, SemanticBranchConfig, TokenizerConfig
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.network import TokenizerNetwork, TokenizerOutput
from makesomenoise.training.auxiliary_losses import (
    LabelHead,
    LabelLossConfig,
    MelHead,
    MelLossConfig,
    SpectralPeakHead,
    SpectralPeakLossConfig,
    frame_weights,
)
from makesomenoise.training.distillation import Distillation, DistillConfig
from makesomenoise.training.imitation import Imitation, ImitationConfig
from makesomenoise.training.initialization import (
    NEW_DECODER,
    coding_parts,
    fit_bands,
    freeze_denoiser,
    freeze_trunk,
    load_semantic_branch,
    load_start,
    refuse_other_codes,
)
from makesomenoise.training.optimization import OptimizerConfig, lightning_optimizer, update_ema
from makesomenoise.training.run import LightningTrainingConfig, endless, fit
from makesomenoise.training.teacher_loss import FirstAnswers, TeacherHead, TeacherLossConfig

_TEACHER_HIDDEN = 512

_log = logging.getLogger(__name__)


class DataConfig(Config):
    """What a run learns from.

    Attributes:
        train: shards or folders.
        valid: shards or folders.
        crop_codes: length of a crop, codes.
        short_crops_until: share of the training during which each crop is two crops of half the length.
        dataset_weights: share of the examples that start with a clip of a dataset; the rest goes to all others.
        augment: how crops are varied.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_codes: int = 128
    short_crops_until: float = 0.5
    dataset_weights: dict[str, float] = Field(default_factory=dict)
    augment: AugmentConfig = AugmentConfig()
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 64


class TokenizerTrainingConfig(LightningTrainingConfig):
    """A whole run.

    Attributes:
        model: the tokenizer.
        init_semantic_branch_from: model folder of a trained semantic branch (see `training.semantic_branch`), or none;
            it takes the place of that of `init_from`.
        init_from: tokenizer to start from, a model folder or a bundled name, or none.
        init_decoder_from: tokenizer whose decoder to start from in place of that of `init_from`, or `new` for none.
        freeze_codes: only the decoder learns, so that sound which was encoded before can still be decoded.
        freeze_trunk: the part of the decoder that reads the latents does not learn either.
        freeze_denoiser: that part alone learns, so that the jumps of a distilled decoder stay true.
        decoder_warmup: share of the training during which the decoder waits, and encoder and quantizer learn from what
            codes are asked alone. Such a step costs half, and codes that have learned to tell pitch keep doing so,
            while a decoder that comes first leaves no room for it.
        data: what it learns from.
        label_loss: the loss that asks codes for labels.
        mel_loss: the loss that asks codes for the outline of their mel.
        spectral_peak_loss: the loss that asks codes which bands stand out.
        teacher_loss: the loss that asks codes for what a teacher hears.
        imitate: how the decoder begins with the codes of `init_from`, where it knows those of another tokenizer.
        distill: the decoder learns to jump from the model it starts from; none: it learns flow matching alone.
        optimizer: how the weights move.
    """

    model: TokenizerConfig = TokenizerConfig()
    init_semantic_branch_from: str | None = None
    init_from: str | None = None
    init_decoder_from: str | None = None
    freeze_codes: bool = False
    freeze_trunk: bool = False
    freeze_denoiser: bool = False
    decoder_warmup: float = 0.0
    data: DataConfig
    label_loss: LabelLossConfig = LabelLossConfig()
    mel_loss: MelLossConfig = MelLossConfig()
    spectral_peak_loss: SpectralPeakLossConfig = SpectralPeakLossConfig()
    teacher_loss: TeacherLossConfig = TeacherLossConfig()
    imitate: ImitationConfig | None = None
    distill: DistillConfig | None = None
    optimizer: OptimizerConfig = OptimizerConfig()

    @property
    def decoder_is_new(self) -> bool:
        """Whether the decoder starts from random weights."""
        return self.init_from is None or self.init_decoder_from == NEW_DECODER

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.init_from is None and (self.freeze_codes or self.init_decoder_from is not None):
            raise ValueError("freeze_codes and init_decoder_from need a tokenizer to start from: name it in init_from")
        if self.freeze_codes and self.teacher_loss.ear is not None:
            raise ValueError("teacher_loss teaches codes, which freeze_codes keeps as they are: leave out one of them")
        frozen = self.freeze_trunk or self.freeze_denoiser
        if frozen and (self.decoder_is_new or not self.freeze_codes):
            raise ValueError("freeze_trunk and freeze_denoiser need freeze_codes and a trained decoder to start from")
        if self.freeze_trunk and self.freeze_denoiser:
            raise ValueError("freeze_trunk and freeze_denoiser leave nothing to learn: set one of them")
        if self.imitate is not None and (not self.freeze_codes or not isinstance(self.model.decoder, FlowConfig)):
            raise ValueError("imitate needs freeze_codes and a decoder of kind flow")
        if self.distill is not None and not isinstance(self.model.decoder, FlowConfig):
            raise ValueError("distill needs a decoder of kind flow")
        if self.distill is not None and (self.decoder_is_new or not self.freeze_codes):
            raise ValueError("distill needs freeze_codes and a trained decoder to start from, which teaches")
        return self


class TokenizerTraining(lightning.LightningModule):
    """The step, the validation and the moving average.

    Args:
        config: the run.
        labels: names that the label loss tells apart.
        folder: receives the averaged model at each validation.
        answers: what the teacher says of some examples, or none.
    """

    def __init__(
        self, config: TokenizerTrainingConfig, labels: Sequence[str], folder: Path, answers: FirstAnswers | None = None
    ):
        super().__init__()
        self.config = config
        self.folder = folder
        with torch.random.fork_rng():
            torch.manual_seed(config.run.seed)
            self.network = TokenizerNetwork(config.model)
            if config.init_from is not None:
                load_start(self.network, config.init_from, config.init_decoder_from)
            if config.init_semantic_branch_from is not None:
                load_semantic_branch(self.network.encoder.scene, config.init_semantic_branch_from)
            if config.freeze_codes and config.init_from is not None:
                refuse_other_codes(config.model, config.init_from)
                for module in coding_parts(self.network):
                    module.requires_grad_(False)
            if config.freeze_trunk:
                freeze_trunk(self.network)
            if config.freeze_denoiser:
                freeze_denoiser(self.network)
            dim, n_mels = config.model.encoder.latent_dim, config.model.mel.n_mels
            self.label_head = LabelHead(config.label_loss, dim, len(labels)) if labels else None
            self.mel_head = MelHead(dim, n_mels) if config.mel_loss.weight else None
            self.peak_head = SpectralPeakHead(dim, n_mels) if config.spectral_peak_loss.weight else None
            self.teacher_head = answers and TeacherHead(config.teacher_loss, dim, answers, hidden=_TEACHER_HIDDEN)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.distillation: Distillation | None = None
        self.imitation = Imitation(config.imitate) if config.imitate is not None else None
        self._valid: list[dict[str, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """The loss of one batch, a scalar."""
        progress = self.global_step / self.config.run.steps
        if progress < self.config.data.short_crops_until:
            batch = {name: _halved(values) for name, values in batch.items()}
        losses = self._losses(batch, progress)
        total = torch.stack([self._weight(name) * loss for name, loss in losses.items()]).sum()
        self.log_dict({f"train/{k}": v.detach() for k, v in {"loss": total, **losses}.items()}, sync_dist=True)
        return total

    def _losses(self, batch: dict[str, Tensor], progress: float) -> dict[str, Tensor]:
        config, distill = self.config, self.distillation
        if self.imitation is not None and progress < self.imitation.config.share:
            return {"imitation": self._imitation_loss(self.imitation, batch["waveform"])}
        generator, weight = self._generator(self.global_step), frame_weights(batch["sounding"])
        asked = progress >= config.decoder_warmup and self._weight("reconstruction") > 0.0
        passed = self.network(batch["waveform"], progress, generator, config.freeze_codes, asked, weight)
        losses = {"quantizer": passed.quantized.loss}
        if passed.reconstruction is not None:
            losses["reconstruction"] = passed.reconstruction.loss
        if distill is not None:
            losses["distill"] = distill.loss(self._flow_decoder(self.network), self.global_step, self._own_generator)
        if self.label_head is not None:
            losses["label"] = _of_both(self.label_head.loss, passed, batch["labels"])
        if self.mel_head is not None:
            losses["mel"] = self.mel_head.loss(passed.quantized.latents, passed.mel)
        if self.peak_head is not None:
            losses["spectral_peak"] = _of_both(self.peak_head.loss, passed, peak_shares(passed.mel))
        if self.teacher_head is not None:
            losses["teacher"] = _of_both(self.teacher_head.loss, passed, batch["taught"])
        return losses

    def _imitation_loss(self, imitation: Imitation, waveform: Tensor) -> Tensor:
        latents = self.network.forward_frozen(waveform).quantized.latents
        generator, decoder = self._generator(self.global_step), self._flow_decoder(self.network)
        chance = own_rows(lambda n: torch.rand(n, generator=generator, device=waveform.device), len(waveform))
        return imitation.loss(self.network, waveform, latents, chance < decoder.config.drop_condition)

    def _weight(self, loss: str) -> float:
        """The weight of a loss in the objective."""
        config = self.config
        flow_share = config.distill.flow_share if config.distill is not None else 1.0
        weights = {
            "label": config.label_loss.weight,
            "mel": config.mel_loss.weight,
            "spectral_peak": config.spectral_peak_loss.weight,
            "teacher": 1.0,
            "imitation": 1.0,
        }
        return {"quantizer": 1.0, "reconstruction": flow_share, "distill": 1.0 - flow_share, **weights}[loss]

    def _flow_decoder(self, network: TokenizerNetwork) -> FlowDecoder:
        assert isinstance(network.decoder, FlowDecoder)  # the configuration sees to it
        return network.decoder

    def on_fit_start(self) -> None:
        """Several devices distil from examples of their own; what is imitated is no part of the model."""
        if self.imitation is not None:
            self.imitation.before.to(self.device)
        if self.distillation is not None:
            self.distillation.share(self.global_rank, self.trainer.world_size)

    def on_train_epoch_start(self) -> None:
        """Keeps the moving statistics of what must not change."""
        if self.config.freeze_codes:
            for module in coding_parts(self.network):
                module.eval()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Bounds the gradient; Lightning's own clipping refuses a fused optimizer beside mixed precision."""
        del optimizer
        nn.utils.clip_grad_norm_(self.parameters(), self.config.optimizer.grad_clip)

    def on_train_batch_end(self, *_args: object, **_kwargs: object) -> None:
        """Moves the average towards the weights; what must not change is left alone to the bit, signs of zeros too."""
        moved = "decoder" if self.config.freeze_codes else ""
        kept, new = (network.get_submodule(moved) for network in (self.average, self.network))
        update_ema(kept, new, self.config.optimizer.ema_decay, self.global_step)

    def validation_step(self, batch: dict[str, Tensor], number: int) -> None:
        """Losses and codes of the averaged model on fixed crops."""
        weight, generator = frame_weights(batch["sounding"]), self._generator(10**9 + number)
        passed = self.average(batch["waveform"], 1.0, generator, self.config.freeze_codes, weight=weight)
        codes = self.average.quantizer.encode(passed.latents)
        found = {"loss": passed.reconstruction.loss, "codes": codes}
        if self.label_head is not None:
            named = self.label_head.right(self.average.quantizer.decode(codes), batch["labels"])
            found |= {"right": named[0], "known": named[1]}
        self._valid.append(found)
        if number == 0:  # decoding takes many evaluations of the network: the first batch stands for all
            self._decode_examples(batch["waveform"], codes)
            if self.distillation is not None:
                student, generator = self._flow_decoder(self.average), self._generator(10**9)
                self.log("valid/teacher_distance", self.distillation.distance(student, batch, generator))

    def _decode_examples(self, waveform: Tensor, codes: Tensor) -> None:
        mel = self.config.model.scale.normalise(self.average.mel(waveform))
        generator = self._generator(10**9)
        noise = own_rows(lambda n: torch.randn((n, *mel.shape[1:]), generator=generator, device=mel.device), len(mel))
        # Few jumps show something only once they have been taught.
        quality = "best" if self.distillation is None else "fast"
        decoded = self.average.decoder.decode(self.average.quantizer.decode(codes), noise, quality=quality)
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
        if self.label_head is not None:
            right, known = (torch.stack([s[name] for s in steps]).sum() for name in ("right", "known"))
            values["label_accuracy"] = right / known.clamp_min(1)
        self.log_dict({f"valid/{k}": v.float() for k, v in values.items()}, sync_dist=True)
        if not self.trainer.is_global_zero or self.trainer.sanity_checking:
            return
        _log.info("step %d: %s", self.global_step, {k: round(float(v), 4) for k, v in values.items()})
        checkpoint.save_model(self.folder / "model", self.config.model, self.average.state_dict(), storage="float16")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """See `lightning_optimizer`."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return lightning_optimizer(trained, self.config.optimizer, self.config.run.steps)

    def _generator(self, number: int, device: int = 0) -> torch.Generator:
        """Randomness of one step, for the whole batch: what makes a resumed run the same run, on any devices."""
        seed = (self.config.run.seed * 1_000_003 + number) * 1024 + device
        return torch.Generator(self.device).manual_seed(seed)

    def _own_generator(self, number: int) -> torch.Generator:
        """Randomness of one step on one device."""
        return self._generator(number, self.global_rank)


def _of_both(loss: Callable[[Tensor, Tensor], Tensor], passed: TokenizerOutput, target: Tensor) -> Tensor:
    """Mean of what a loss asks of latents before and after quantization."""
    return (loss(passed.latents, target) + loss(passed.quantized.latents, target)) / 2


def _halved(x: Tensor) -> Tensor:
    return x.unflatten(1, (2, -1)).flatten(0, 1)


def _crops(
    config: TokenizerTrainingConfig,
    clips: Sequence[Clip],
    labels: Sequence[str],
    teacher: Teacher | None = None,
    valid: bool = False,
) -> Crops:
    data, mel = config.data, config.model.mel
    unit = mel.hop_samples * FRAMES_PER_CODE
    store = ClipStore(clips, mel.sample_rate, data.cache)
    sequences, augment = Sequences(clips, labels, data.dataset_weights), None if valid else data.augment
    return Crops(store, data.crop_codes * unit, unit, sequences, augment, 1 if valid else config.run.seed, teacher)


def _with_teachers(config: TokenizerTrainingConfig, teacher: Teacher | None) -> TokenizerTrainingConfig:
    """The same training, of a model that names who taught its codes: now, and what they start from."""
    found = [teacher.record] if teacher is not None else []
    if config.init_semantic_branch_from is not None:
        found += load_config(resolve(config.init_semantic_branch_from), SemanticBranchConfig).teachers
    if config.init_from is not None:
        found += load_config(resolve(config.init_from), TokenizerConfig).code_teachers
    every = tuple(dict.fromkeys((*config.model.code_teachers, *found)))
    return config.model_copy(update={"model": config.model.model_copy(update={"code_teachers": every})})


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
        ManifestError: if the data cannot be read, or clips to train on are marked for evaluation.
        CheckpointError: if the semantic branch or the tokenizer to start from does not fit.
        EarError: if the teacher cannot be used.
    """
    folder, data = Path(run_folder), config.data
    clips = read_training_clips(data.train)
    labels = frequent_labels(clips, config.label_loss.min_clips_per_label) if config.label_loss.weight > 0 else []
    teacher = config.teacher_loss.open(clips, config.model.mel.sample_rate)
    config = _with_teachers(config, teacher)
    train, valid = _crops(config, clips, labels, teacher), _crops(config, read_clips(data.valid), labels, valid=True)
    answers = FirstAnswers.of(teacher, train) if teacher is not None else None
    module = TokenizerTraining(config, labels, folder, answers)
    if config.decoder_is_new:
        fit_bands(module.network, train)
        fit_bands(module.average, train)
    if module.imitation is not None:
        module.imitation.begin(module.network, train)
        kept, begun = (network.get_submodule("decoder") for network in (module.average, module.network))
        kept.load_state_dict(begun.state_dict())
    if config.distill is not None:
        module.distillation = Distillation(config.distill, copy.deepcopy(module.network), train)
    loaders = endless(train, valid, data.valid_crops, data.workers, config.run)
    fit(module, loaders, config, folder, resume)
    return folder / "model"
