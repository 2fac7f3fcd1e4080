"""Training of a language model on encoded sound: one YAML file, one run folder, resumable to the step.

First the rows of the codes are aligned with the words of labels (`alignment`), then the lower layers learn what sounds
at every code (`grounding`), then parts with mixtures of their own follow one another (a curriculum); transformers'
trainer runs the last two, on one device or, through accelerate, on many.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from accelerate import PartialState
from pydantic import Field
from torch import Tensor

from makesomenoise.config import Config
from makesomenoise.data.codes import CodeClips, read_codes
from makesomenoise.data.instructions.examples import Examples, TaskWeights
from makesomenoise.data.instructions.text_only import Chat, prompts, read_chat, write_chat
from makesomenoise.data.manifest import refuse_evaluation
from makesomenoise.data.ontology import ontology
from makesomenoise.errors import DataError
from makesomenoise.language.config import LanguageConfig, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.training.language.embedding_alignment import (
    EmbeddingAlignmentConfig,
    NamedCodes,
    accuracy,
    align,
    label_rows,
)
from makesomenoise.training.language.frame_supervision import (
    AnnotatedClips,
    FrameSupervisionBatches,
    FrameSupervisionConfig,
    FrameSupervisionTask,
)
from makesomenoise.training.language.memory_estimate import Estimate, GpuPlan, estimate, plan
from makesomenoise.training.language.other_codes import shared_moments, translated
from makesomenoise.training.language.self_distillation import base_answers
from makesomenoise.training.language.sft import Batches, LossConfig, SFTTask, Stage
from makesomenoise.training.language.sharding import is_sharded, whole
from makesomenoise.training.language.trainer import (
    LanguageOptimizerConfig,
    LanguageRunConfig,
    Samples,
    Validation,
    run_steps,
)
from makesomenoise.training.run import TrainingConfig, last_checkpoint, open_run, together

_log = logging.getLogger(__name__)
_CHATS = "chats.jsonl"
_GROUNDED = "grounded"  # its own checkpoints and curves


class LanguageTrainingError(DataError):
    """A run that cannot be made of its configuration; the message is one sentence for the user."""


class StageConfig(Config):
    """A stretch of the training.

    Attributes:
        name: as it appears in logs.
        steps: its length.
        task_weights: how often which task comes.
    """

    name: str
    steps: int = Field(ge=1)
    task_weights: TaskWeights = TaskWeights()


class LanguageDataConfig(Config):
    """What a run learns from.

    Attributes:
        train: code shards, or folders of them.
        valid: code shards, or folders of them.
        ontology: table of the names of sounds, see `Ontology.read`; none: the one that ships.
        chats: how many answers of the base itself to plain prompts are mixed in, so that it forgets no language.
        valid_batches: number of fixed batches that a validation looks at.
        samples: of how many clips it notes what the model says of them and makes of their names.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    ontology: str | None = None
    chats: int = Field(default=0, ge=0)
    valid_batches: int = Field(default=8, ge=1)
    samples: int = Field(default=3, ge=0)


class LanguageTrainingConfig(TrainingConfig):
    """A whole run.

    Attributes:
        base: the text model, see `LanguageConfig`.
        tokenizer: whose codes it learns: a model folder, a bundled name or a Hub id.
        lora: the low-rank matrices.
        context_tokens: the most tokens a conversation may have.
        time_markers: whether sounds that are heard tell the time, also where the model to start from had none.
        init_from: language model to start from, a model folder or a bundled name, or none.
        codes_before: code shards of clips of the training by the tokenizer whose codes the model to start from has
            learned, where that is another one: its matrices stay, and each new code starts as the old ones that sound
            at the same moments.
        data: what it learns from.
        embedding_alignment: how the rows of codes are aligned first; not done for a model to start from.
        frame_supervision: how the lower layers then learn what sounds.
        stages: what comes after what.
        loss: what loss is asked.
        optimizer: how fast weights move.
        run: size of a step, seed and machine.
        shape: settings of the base's architecture, for an estimate of a base that is not on this machine.
    """

    base: str = "smollm2-135m"
    tokenizer: str = "default"
    lora: LoraConfig = LoraConfig()
    context_tokens: int = Field(default=2048, ge=16)
    time_markers: bool = True
    init_from: str | None = None
    codes_before: tuple[str, ...] = ()
    data: LanguageDataConfig
    embedding_alignment: EmbeddingAlignmentConfig = EmbeddingAlignmentConfig()
    frame_supervision: FrameSupervisionConfig = FrameSupervisionConfig(steps=0)
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    loss: LossConfig = LossConfig()
    optimizer: LanguageOptimizerConfig = LanguageOptimizerConfig()
    run: LanguageRunConfig = LanguageRunConfig()
    shape: dict[str, int | float | str | bool] = Field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Length of the run."""
        return sum(stage.steps for stage in self.stages)

    def with_steps(self, steps: int) -> Self:
        """The same training, of another length: its last stage is made longer or shorter.

        Raises:
            LanguageTrainingError: if nothing would be left of that stage.
        """
        *before, last = self.stages
        left = steps - sum(stage.steps for stage in before)
        if left < 1:
            raise LanguageTrainingError(
                f"A run of {steps} steps would not reach its last stage, '{last.name}': give more than {steps - left}."
            )
        return self.model_copy(update={"stages": (*before, last.model_copy(update={"steps": left}))})

    def on_one_device(self) -> Self:
        """The same training without what may change with the number of devices."""
        return self.model_copy(update={"run": self.run.model_copy(update={"gradient_accumulation_steps": 1})})


def train_language(config: LanguageTrainingConfig, run_folder: str | Path, resume: bool = False) -> Path:
    """Trains a language model.

    Args:
        config: the run.
        run_folder: receives config, checkpoints, curves, and the model folder `model`.
        resume: continue the run that the folder holds.

    Returns:
        The model folder.

    Raises:
        RunError: if the folder already holds a run and `resume` is false.
        CodesError: if there are no code shards, or they were made by another tokenizer.
        ManifestError: if clips to train on are marked for evaluation.
        LanguageError: if the base cannot be loaded.
    """
    folder = Path(run_folder)
    tokenizer = AudioTokenizer.load(config.tokenizer, vocoder="griffin-lim")
    clips, valid = (
        read_codes(*sources, fingerprint=tokenizer.fingerprint, ontology=ontology(config.data.ontology))
        for sources in (config.data.train, config.data.valid)
    )
    refuse_evaluation(clips.column("split"))
    first = _processes().is_main_process
    last = open_run(folder, config, resume, joins=not first)
    if config.run.threads is not None:
        torch.set_num_threads(config.run.threads)
    model = _model(config, tokenizer, clips if last is None else clips[:0])
    if config.frame_supervision.steps and last is None:
        _ground(model, clips, valid, config, folder)
        model = _gathered(model, config, tokenizer)
    chats = _chats(model, config, folder)
    seed = config.run.seed
    examples = [Examples(clips, tokenizer.code_rate, part.task_weights, seed, chats) for part in config.stages]
    batches = _batches(config, model, examples)
    samples = Samples(valid, config.data.samples, tokenizer).add_to if config.data.samples else None
    seen = Validation(_fixed(config, model, valid, tokenizer), folder, samples)
    with together():
        run_steps(SFTTask(model, config.loss), batches, config.steps, seen, config.optimizer, config.run, last)
    return folder / "model"


def estimate_language(config: LanguageTrainingConfig) -> Estimate:
    """What a run will take, without its data and weights.

    Raises:
        LanguageError: if the configuration gives no shape and the base's configuration cannot be read.
    """
    return estimate(config.base, config.shape, config.lora, config.run)


def _processes() -> PartialState:
    """What accelerate knows of the processes of this run; without a GPU it must be told that they compute on CPUs."""
    return PartialState(cpu=not torch.cuda.is_available())


def plan_language(config: LanguageTrainingConfig, gpu: str, devices: int = 1) -> GpuPlan:
    """How long a run will take on GPUs of a name, and whether it fits into their memory; errors as `estimate_language`.

    Raises:
        ConfigError: if nothing is known of such a GPU.
    """
    run, grounding = config.run, config.frame_supervision
    tokens = config.steps * run.batch_tokens * run.gradient_accumulation_steps * devices
    lower = grounding.steps * grounding.batch_tokens * run.gradient_accumulation_steps * devices
    return plan(estimate_language(config), gpu, devices, tokens + lower, run.gradient_checkpointing)


def _model(config: LanguageTrainingConfig, tokenizer: AudioTokenizer, clips: CodeClips) -> LanguageModel:
    """The model that training starts from; not aligned where there are no clips."""
    if config.init_from is not None:
        model = LanguageModel.load(config.init_from, config.run.dtype)
        if model.config.tokenizer_fingerprint != tokenizer.fingerprint:
            if not config.codes_before:
                raise LanguageTrainingError(
                    f"The model to start from learned the codes of the tokenizer {model.config.tokenizer_fingerprint}, "
                    f"and this one is {tokenizer.fingerprint}: name the one it was trained with, or give codes_before."
                )
            _take_codes(model, config, tokenizer, clips)
        model.tell_time(config.time_markers)
        return model
    codebook = torch.from_numpy(tokenizer.codebook)
    settings = LanguageConfig(
        base=config.base,
        tokenizer_fingerprint=tokenizer.fingerprint,
        codebook_size=len(codebook),
        code_rate=tokenizer.code_rate,
        lora=config.lora,
        context_tokens=config.context_tokens,
        time_markers=config.time_markers,
    )
    model = LanguageModel.create(settings, codebook, config.run.seed, config.run.dtype)
    if clips and config.embedding_alignment.steps:
        _align(model, clips, config)
    return model


def _take_codes(
    model: LanguageModel, config: LanguageTrainingConfig, tokenizer: AudioTokenizer, clips: CodeClips
) -> None:
    """Makes the codes of another tokenizer the model's own; where there are no clips, rows are those of before."""
    own = model.config.tokenizer_fingerprint
    model.take_codes_of(tokenizer.fingerprint, tokenizer.codebook_size)
    if clips:
        counts = shared_moments(clips, read_codes(*config.codes_before, fingerprint=own), tokenizer.codebook_size)
        rows, output_rows = model.rows.detach().clone(), model.output_rows.detach().clone()
        for one in (rows, output_rows):
            one[:-2] = translated(one[:-2], counts)
        model.set_rows(rows, output_rows)


def _align(model: LanguageModel, clips: CodeClips, config: LanguageTrainingConfig) -> None:
    """Makes codes point at the words of their labels; where the base scores by rows of their own, those stay."""
    exact = (clips.column("trust") == "exact") & (clips.column("label") != "")
    named = clips.where(exact & (clips.column("codes") > 0))
    if not len(named):
        return
    names, places = np.unique(named.column("label").astype(str), return_inverse=True)
    known = NamedCodes([torch.tensor(clip.codes) for clip in named], torch.from_numpy(places))
    wanted = label_rows(model.text_rows, [model.vocabulary.text(f" {name}") for name in names])
    rows = model.rows.detach().clone()
    generator = torch.Generator().manual_seed(config.run.seed)
    rows[:-2] = align(rows[:-2], wanted, known, config.embedding_alignment, generator)
    _log.info("aligned: %.1f %% of the clips point at their label", 100 * accuracy(rows[:-2], wanted, known))
    model.set_rows(rows)


def _ground(
    model: LanguageModel,
    clips: CodeClips,
    valid: CodeClips,
    config: LanguageTrainingConfig,
    run: Path,
) -> None:
    """Runs the stage of grounding in a folder of its own, or goes on with what is there."""
    asked, rate, prompts = config.frame_supervision, model.config.code_rate, model.prompts
    known = AnnotatedClips(clips, rate, asked.scenes_share, asked.longest_seconds, config.run.seed)
    if not known:
        raise LanguageTrainingError(
            "There are no labels or scenes to supervise frames with: set `frame_supervision: {steps: 0}`."
        )
    unseen = AnnotatedClips(valid, rate, asked.scenes_share, asked.longest_seconds, seed=1, names=known.names)
    count = asked.steps * config.run.gradient_accumulation_steps * _processes().num_processes
    batches = FrameSupervisionBatches(known, prompts, count, asked.batch_tokens)
    fixed = FrameSupervisionBatches(unseen, prompts, config.data.valid_batches if unseen else 0, asked.batch_tokens)
    learner, folder = FrameSupervisionTask(model, len(known.names), asked.layers), run / _GROUNDED
    seen = Validation([fixed[number] for number in range(len(fixed))], folder)
    with learner.only_lower(), together():
        run_steps(learner, batches, asked.steps, seen, asked.optimizer, config.run, last_checkpoint(folder))


def _gathered(model: LanguageModel, config: LanguageTrainingConfig, tokenizer: AudioTokenizer) -> LanguageModel:
    """The model of a finished stage; where processes share it out, another one, which the next stage can share out."""
    if not is_sharded():
        return model
    learned = whole(model.learned())
    model = _model(config, tokenizer, CodeClips.of([]))
    model.set_learned(learned)
    return model


def _chats(model: LanguageModel, config: LanguageTrainingConfig, folder: Path) -> list[Chat]:
    """What the base itself answers, drawn once a run."""
    path = folder / _CHATS
    with _processes().main_process_first():  # one of several processes draws, and the others read
        _draw_chats(model, config, path)
    return read_chat(path) if config.data.chats else []


def _draw_chats(model: LanguageModel, config: LanguageTrainingConfig, path: Path) -> None:
    if config.data.chats and not path.exists():
        asked = prompts(config.data.chats, config.run.seed)
        write_chat(path, base_answers(model, asked, seed=config.run.seed))


def _batches(config: LanguageTrainingConfig, model: LanguageModel, examples: Sequence[Examples]) -> Batches:
    taken = config.run.gradient_accumulation_steps * _processes().num_processes  # batches a step
    parts = [Stage(one, part.steps * taken) for one, part in zip(examples, config.stages, strict=True)]
    return Batches(parts, model.prompts, config.run.batch_tokens, config.context_tokens, config.run.seed)


def _fixed(
    config: LanguageTrainingConfig, model: LanguageModel, valid: CodeClips, tokenizer: AudioTokenizer
) -> list[dict[str, Tensor]]:
    """The batches of a validation: those that the last mixture makes of other clips."""
    examples = Examples(valid, tokenizer.code_rate, config.stages[-1].task_weights, seed=1)
    count = config.data.valid_batches
    batches = Batches([Stage(examples, count)], model.prompts, config.run.batch_tokens, config.context_tokens, seed=1)
    return [batches[number] for number in range(count)]
