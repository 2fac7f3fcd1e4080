"""The steps of a language model's training, run by transformers' trainer; knows no data.

Checkpoints hold what is learned in float32, so that a resumed run continues exactly; the model folder beside them holds
it in 16 bits, as it is shipped.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, SequentialSampler
from torch.utils.tensorboard.writer import SummaryWriter
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from makesomenoise import checkpoint
from makesomenoise.config import Config
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.ontology import Name
from makesomenoise.language import wording
from makesomenoise.language.base import usual_dtype
from makesomenoise.language.composing import compose
from makesomenoise.language.listening import answers
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.training.language.sharding import is_sharded, shard, shared_out, whole
from makesomenoise.training.optimization import ScheduleConfig

_LEARNED, _OPTIMIZER, _SCHEDULE = "learned.safetensors", "optimizer.pt", "scheduler.pt"
_LOG_EVERY = 10
_log = logging.getLogger(__name__)
_LONGEST_HEARD = 5.0
_MADE_SECONDS = 2.0
_LONGEST_CAPTION = 24


class LanguageOptimizerConfig(ScheduleConfig):
    """How fast weights move.

    Attributes:
        lora_lr: highest learning rate of AdamW for the LoRA weights.
        embedding_lr: highest learning rate for the embeddings of the new words.
        weight_decay: of AdamW, for the LoRA weights.
        grad_clip: largest norm of the gradient.
    """

    warmup_steps: int = Field(default=50, ge=0)
    decay_fraction: float = Field(default=0.6, gt=0.0, le=1.0)
    final_factor: float = Field(default=0.02, ge=0.0, le=1.0)
    lora_lr: float = Field(default=5e-4, gt=0.0)
    embedding_lr: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    grad_clip: float = Field(default=1.0, gt=0.0)


class LanguageRunConfig(Config):
    """Size of a step and of the machine.

    Attributes:
        batch_tokens: tokens of a batch on one device, padding included, about.
        gradient_accumulation_steps: batches of a step.
        valid_every: steps between two validations, at which checkpoints are written.
        seed: of rows, matrices, and the order of what is learned.
        threads: CPU threads; none leaves the choice to torch.
        precision: of the base and of products; none: bfloat16 where the device computes in it.
        gradient_checkpointing: whether activations are computed again in the backward pass, to save memory.
    """

    batch_tokens: int = Field(default=2000, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    valid_every: int = Field(default=100, ge=1)
    seed: int = 0
    threads: int | None = None
    precision: Literal["float32", "bfloat16"] | None = None
    gradient_checkpointing: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of the base and of products."""
        if self.precision is None:
            return usual_dtype("cuda" if torch.cuda.is_available() else "cpu")
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


class Losses(NamedTuple):
    """The losses of a batch; a tuple, since what shares a model out looks for tensors in tuples and dicts alone.

    Attributes:
        loss: scalar, to learn by.
        means: of each kind of tokens the mean loss, a scalar without gradient.
        counts: of each kind how many tokens it was taken over.
    """

    loss: Tensor
    means: dict[str, Tensor]
    counts: dict[str, Tensor]


@dataclass(frozen=True)
class _Noted:
    """Losses as numbers."""

    loss: float
    means: dict[str, float]
    counts: dict[str, int]

    @classmethod
    def of(cls, losses: Losses) -> Self:
        means = {kind: float(mean) for kind, mean in losses.means.items()}
        return cls(float(losses.loss.detach()), means, {kind: int(count) for kind, count in losses.counts.items()})


class TrainingTask(nn.Module):
    """A language model with the loss that it learns by; `forward` takes a batch and gives `Losses`.

    Args:
        language: learns.
    """

    def __init__(self, language: LanguageModel):
        super().__init__()
        self.language = language

    def learned(self) -> dict[str, Tensor]:
        """All that moves, by name, sharing memory with the model."""
        return self.language.learned()

    def set_learned(self, state: dict[str, Tensor]) -> None:
        """Takes what `learned` has given."""
        self.language.set_learned(state)


class Validation(TrainerCallback):
    """Curves of training, losses on fixed batches, and the model folder, all in a run folder.

    Args:
        batches: what to look at.
        folder: the run folder.
        samples: adds what the model says and makes to the curves; none adds nothing.
    """

    def __init__(
        self,
        batches: Sequence[dict[str, Tensor]],
        folder: Path,
        samples: Callable[[SummaryWriter, int, LanguageModel], None] | None = None,
    ):
        self.batches = batches
        self.samples = samples
        self.folder = folder
        self._noted: list[_Noted] = []
        self._curves: SummaryWriter | None = None

    def note(self, losses: Losses) -> None:
        """Remembers the losses of a batch until the next step that is logged."""
        self._noted.append(_Noted.of(losses))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Logs, and at times looks at the fixed batches."""
        last = state.global_step == state.max_steps
        if state.global_step % _LOG_EVERY == 0 or last:
            if state.is_world_process_zero:
                self._log("train", self._noted, state.global_step)
            self._noted = []
        writes = state.is_world_process_zero
        if (writes or is_sharded()) and (control.should_save or last):
            learner: Any = kwargs["model"]
            self._look(getattr(learner, "module", learner), args, state.global_step, writes)

    def _look(self, learner: TrainingTask, args: TrainingArguments, step: int, writes: bool) -> None:
        learner.eval()
        seen = []
        for batch in self.batches:
            moved = {name: tensor.to(args.device) for name, tensor in batch.items()}
            with torch.no_grad(), torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                seen.append(_Noted.of(learner(**moved)))
        if writes:
            self._log("valid", seen, step)
        if self.samples is not None and not is_sharded():
            with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                self.samples(self._writer(), step, learner.language)
        learner.train()
        learned, config = whole(learner.language.learned()), learner.language.config
        if writes:
            checkpoint.save_model(self.folder / "model", config, learned, storage="float16")

    def _log(self, stage: str, seen: list[_Noted], step: int) -> None:
        """Means over batches; those of kinds of tokens weigh each token alike."""
        if not seen:
            return
        values = {"loss": sum(one.loss for one in seen) / len(seen)}
        for kind in seen[0].means:
            count = sum(one.counts[kind] for one in seen)
            if count:
                values[kind] = sum(one.means[kind] * one.counts[kind] for one in seen) / count
        for name, value in values.items():
            self._writer().add_scalar(f"{stage}/{name}", value, step)
        self._writer().flush()
        _log.info("step %d, %s: %s", step, stage, {name: round(value, 4) for name, value in values.items()})

    def _writer(self) -> SummaryWriter:
        if self._curves is None:
            self._curves = SummaryWriter(str(self.folder / "curves"))
        return self._curves


class _Trainer(Trainer):
    """Takes whole batches as they are, and keeps nothing of the base in checkpoints."""

    def __init__(self, validation: Validation, **settings: Any):
        super().__init__(**settings)
        self._validation = validation

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        del num_items_in_batch
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16):
            losses = model(**inputs)
        self._validation.note(losses)
        return (losses.loss, losses) if return_outputs else losses.loss

    def get_train_dataloader(self) -> DataLoader:
        dataset: Any = self.train_dataset
        loader = DataLoader(dataset, batch_size=1, sampler=SequentialSampler(dataset), collate_fn=_first)
        return self.accelerator.prepare(loader)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        learner: Any = self.accelerator.unwrap_model(self.model)
        learned = {name: value.detach().float().cpu().contiguous() for name, value in whole(learner.learned()).items()}
        if self.args.should_save:
            folder = Path(output_dir or str(self.args.output_dir))
            folder.mkdir(parents=True, exist_ok=True)
            save_file(learned, folder / _LEARNED)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        optimizer, schedule = self._moving()
        state = whole(optimizer.state_dict())
        if self.args.should_save:
            torch.save(state, Path(output_dir) / _OPTIMIZER)
            torch.save(schedule.state_dict(), Path(output_dir) / _SCHEDULE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            optimizer, schedule = self._moving()
            state = torch.load(Path(checkpoint) / _OPTIMIZER, map_location="cpu", weights_only=True)
            optimizer.load_state_dict(shared_out(state, optimizer))
            schedule.load_state_dict(torch.load(Path(checkpoint) / _SCHEDULE, weights_only=True))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        del resume_from_checkpoint, model  # `run_steps` has done it, before anything was shared out

    def _moving(self) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        assert isinstance(self.optimizer, torch.optim.Optimizer)
        assert isinstance(self.lr_scheduler, torch.optim.lr_scheduler.LRScheduler)
        return self.optimizer, self.lr_scheduler


def run_steps(
    learner: TrainingTask,
    batches: Dataset,
    steps: int,
    validation: Validation,
    config: LanguageOptimizerConfig,
    run: LanguageRunConfig,
    last: Path | None,
) -> None:
    """Trains on all batches in order.

    Args:
        learner: what learns.
        batches: one item is one batch.
        steps: length of the run.
        validation: watches, and knows the run folder.
        config: how fast weights move.
        run: size of a step and of the machine.
        last: checkpoint to go on from, or none.
    """
    if not torch.cuda.is_available():
        # Backward, torch's fused attention takes a fifth of a step on a CPU; most of that is saved by the plain one.
        learner.language.causal.set_attn_implementation("eager")
    if run.gradient_checkpointing:
        learner.language.causal.enable_input_require_grads()
        learner.language.causal.gradient_checkpointing_enable({"use_reentrant": False})
    if last is not None:
        learner.set_learned(load_file(last / _LEARNED))
    if is_sharded():
        shard(learner, learner.language.causal.base_model.layers)
    settings = TrainingArguments(
        output_dir=str(validation.folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=run.gradient_accumulation_steps,
        max_grad_norm=config.grad_clip,
        bf16=run.dtype == torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),
        save_steps=run.valid_every,
        save_total_limit=1,
        logging_strategy="no",
        report_to=[],
        seed=run.seed,
        remove_unused_columns=False,
        label_names=["labels"],
    )
    trainer = _Trainer(
        validation,
        model=learner,
        args=settings,
        train_dataset=batches,
        callbacks=[validation],
    )
    trainer.optimizer, trainer.lr_scheduler = _optimizer(learner, config, steps)
    trainer.train(resume_from_checkpoint=str(last) if last else None)


def _optimizer(learner: TrainingTask, config: LanguageOptimizerConfig, steps: int) -> Any:
    """AdamW, with rows at a rate of their own, and its schedule."""
    rows = {id(learner.language.rows), id(learner.language.output_rows)}
    trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    embeddings = [p for p in trained if id(p) in rows]
    lora = [p for p in trained if id(p) not in rows]
    groups = [
        {"params": embeddings, "lr": config.embedding_lr, "weight_decay": 0.0},
        {"params": lora, "lr": config.lora_lr, "weight_decay": config.weight_decay},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: config.factor(step, steps))


def _first(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return items[0]


class Samples:
    """A few clips of different names, always the same ones.

    Args:
        clips: what is chosen from; those labelled by hand come first.
        count: how many are described, and how many of their names are made into sounds.
        tokenizer: makes sounds of codes.
    """

    def __init__(self, clips: Sequence[CodeClip], count: int, tokenizer: AudioTokenizer):
        self._tokenizer = tokenizer
        self._chosen = _different(clips)[:count]

    @torch.no_grad()
    def add_to(self, curves: SummaryWriter, step: int, model: LanguageModel) -> None:
        """Asks the model, and adds captions and sounds under a step."""
        if not self._chosen:
            return
        longest = int(_LONGEST_HEARD * self._tokenizer.code_rate)
        sounds = [Sound(clip.codes[:longest]) for clip, _ in self._chosen]
        said = answers(model, sounds, wording.CAPTION, _LONGEST_CAPTION)
        for (clip, name), text in zip(self._chosen, said, strict=True):
            curves.add_text(f"captions/{name.name}", f"{clip.title or clip.key}: {text}", step)
            made = compose(model, name.happens, _MADE_SECONDS)[0]
            waveform = self._tokenizer.decode([made.codes], seed=0)
            curves.add_audio(f"sounds/{name.name}", waveform, step, sample_rate=self._tokenizer.sample_rate)


def _different(clips: Sequence[CodeClip]) -> list[tuple[CodeClip, Name]]:
    """One clip of each name, in an order of their own that has nothing to do with the alphabet."""
    found: dict[str, tuple[CodeClip, Name]] = {}
    for clip in sorted(clips, key=lambda clip: clip.trust != "exact"):
        name = clip.name if clip.codes and not clip.events else None
        if name is not None:
            found.setdefault(name.name, (clip, name))
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    return [list(found.values())[n] for n in order]
