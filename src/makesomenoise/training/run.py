"""One training run: its folder, loaders, trainer, checkpoints and exact resumption; knows no model.

Tokenizer, semantic branch and vocoder are trained by Lightning; the language model opens its run folder here too.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import pytorch_lightning as lightning
import torch
from pydantic import Field
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from torch import distributed
from torch.utils.data import DataLoader, Dataset, Sampler

from makesomenoise.checkpoint import source_commit
from makesomenoise.config import Config
from makesomenoise.errors import FileError
from makesomenoise.files import make_folder, write_text

Loaders = Callable[[int, int], tuple[DataLoader, DataLoader]]
CONFIG_FILE = "config.yaml"
COMMIT_FILE = "commit.txt"
CHECKPOINT_FILE = "last.ckpt"
LOCK_FILE = ".lock"
# What torch's errors say where a process at the other end is gone; it has no narrower class for it.
_GONE = (
    "closed by peer",
    "reset by peer",
    "Broken pipe",
    "Timed out",
    "timed out",
    "NCCL",
    "aborted",
    "Connection refused",
)
_HELD: dict[Path, BinaryIO] = {}  # open as long as the process runs: to close one is to give the lock back


class RunError(FileError):
    """A run that cannot start; the message is one sentence for the user."""


class TrainingConfig(Config):
    """Settings of a whole training, which a run folder records and a resumed run compares."""

    @property
    def steps(self) -> int:
        """Length of the run."""
        raise NotImplementedError

    def with_steps(self, steps: int) -> Self:
        """The same training, of another length."""
        raise NotImplementedError

    def on_one_device(self) -> Self:
        """The same training without what may change with the number of devices."""
        return self

    @classmethod
    def from_file(cls, path: str | Path, steps: int | None = None) -> Self:
        """Reads a YAML file; `steps` replaces the length that it gives.

        Raises:
            ConfigError: as `from_yaml`.
        """
        config = cls.from_yaml(path)
        return config if steps is None else config.with_steps(steps)


def open_run(folder: str | Path, config: TrainingConfig, resume: bool, joins: bool = False) -> Path | None:
    """Makes or reopens a run folder and records the configuration and the git commit in it.

    Args:
        folder: the run folder.
        config: what is about to be trained, written as `config.yaml`.
        resume: go on from the last checkpoint, if there is one.
        joins: this process takes part in a run that another one, of the first device, has opened: nothing is written.

    Returns:
        The checkpoint to go on from, or None for a fresh start.

    Raises:
        RunError: if the folder already holds a run and `resume` is not set, or holds one of another configuration (the
            length alone may differ), or if another process trains in it.
        FileError: if the folder cannot be written.
    """
    folder = Path(folder)
    last, recorded = last_checkpoint(folder), folder / CONFIG_FILE
    if joins:
        return last
    if recorded.exists() and not resume:
        raise RunError(f"The run folder {folder} is in use; resume that run (--resume) or give another folder.")
    if last is not None:
        _check_same(recorded, config)
    _hold(make_folder(folder))
    write_text(recorded, config.to_yaml())
    write_text(folder / COMMIT_FILE, f"{source_commit()}\n")
    return last


@contextmanager
def together() -> Iterator[None]:
    """Tells in one sentence that another process of a training has died, which ends this one too.

    Raises:
        RunError: if that happens.
    """
    try:
        yield
    except RuntimeError as error:
        several = distributed.is_available() and distributed.is_initialized()
        if not several or not any(words in str(error) for words in _GONE):
            raise
        raise RunError(
            "Another process of this training has died, so this one ends too: start all of them again with --resume."
        ) from None


def _check_same(recorded: Path, config: TrainingConfig) -> None:
    """Compares settings, not texts: a key that a later version adds has its default in a run of before."""
    before = type(config).from_yaml(recorded)
    if before.steps != config.steps:
        before = before.with_steps(config.steps)
    for name, (old, new) in _differences(before.on_one_device(), config.on_one_device()).items():
        raise RunError(
            f"The configuration differs from {recorded} in '{name}', which was {old!r} and is {new!r}: "
            "a run resumes only with its own; its length (--steps) and the number of devices may change."
        )


def _differences(before: Config, now: Config) -> dict[str, tuple[Any, Any]]:
    """The settings that differ, old and new, by dotted name."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in type(now).model_fields:
        old, new = getattr(before, name), getattr(now, name)
        if isinstance(old, Config) and type(old) is type(new):
            found |= {f"{name}.{inner}": pair for inner, pair in _differences(old, new).items()}
        elif old != new:
            found[name] = old, new
    return found


def _hold(folder: Path) -> None:
    """Keeps other processes out of a run folder until this process ends.

    Raises:
        RunError: if another process trains in it.
    """
    if folder.resolve() in _HELD:
        return
    file = (folder / LOCK_FILE).open("ab")
    try:
        import fcntl  # noqa: PLC0415 - Windows has none

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            file.close()
            raise RunError(f"Another process trains in {folder}; wait for it, or give another folder.") from None
    except ImportError:
        pass
    _HELD[folder.resolve()] = file


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint: a file, or a folder of transformers' trainer, which writes its state last."""
    if (folder / CHECKPOINT_FILE).exists():
        return folder / CHECKPOINT_FILE
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


class EpochSampler(Sampler[int]):
    """Example numbers of one epoch after another: epoch e holds e * size * world up to (e + 1) * size * world.

    A step's examples are those of one device with as large a batch as all have together; each device has a block.

    Args:
        size: examples an epoch and device, a multiple of `batch_size`.
        rank: number of this device.
        world: number of devices.
        batch_size: examples a step and device.
    """

    def __init__(self, size: int, rank: int = 0, world: int = 1, batch_size: int = 1):
        self.size, self.rank, self.world, self.batch_size = size, rank, world, batch_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls it before each, also when a run is resumed."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        total = self.size * self.world
        return blocks(range(self.epoch * total, (self.epoch + 1) * total), self.rank, self.world, self.batch_size)

    def __len__(self) -> int:
        return self.size


def blocks(numbers: range, rank: int, world: int, size: int) -> Iterator[int]:
    """Of every `world * size` numbers the block of one device."""
    for first in range(rank * size, len(numbers), world * size):
        yield from numbers[first : first + size]


class RunConfig(Config):
    """Length, seed and machine of a run.

    Attributes:
        steps: training steps; a multiple of `valid_every`.
        valid_every: steps between two validations, each of which ends with a checkpoint.
        batch_size: examples a step and device.
        seed: of weights, examples and noise.
        precision: of products; weights are float32 in either.
        devices: number of devices; several train with DDP.
        threads: CPU threads, or none for torch's choice.
    """

    steps: int = 10_000
    valid_every: int = 250
    batch_size: int = 8
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    devices: int = 1
    threads: int | None = None


class LightningTrainingConfig(TrainingConfig):
    """Settings of a training that Lightning carries.

    Attributes:
        run: length, seed and machine.
    """

    run: RunConfig = Field(default_factory=RunConfig)

    @property
    def steps(self) -> int:
        """Length of the run."""
        return self.run.steps

    def with_steps(self, steps: int) -> Self:
        """The same training, of another length."""
        return self.model_copy(update={"run": self.run.model_copy(update={"steps": steps})})

    def on_one_device(self) -> Self:
        """The same training without what may change with the number of devices: a step's examples stay as many."""
        run = self.run.model_copy(update={"devices": 1, "batch_size": self.run.devices * self.run.batch_size})
        return self.model_copy(update={"run": run})


def endless(train: Dataset, valid: Dataset, valid_examples: int, workers: int, run: RunConfig) -> Loaders:
    """Loaders of datasets whose examples never end.

    Args:
        train: examples to learn from, taken one after another.
        valid: examples of which the first ones are looked at by each validation.
        valid_examples: their number.
        workers: processes that prepare training examples; 0 prepares them in the training process.
        run: batch size and length of an epoch.

    Returns:
        A function from rank and number of devices to the loaders of training and validation.
    """
    pinned = torch.cuda.is_available()

    def loaders(rank: int, world: int) -> tuple[DataLoader, DataLoader]:
        sampler = EpochSampler(run.valid_every * run.batch_size, rank, world, run.batch_size)
        size, kept = run.batch_size, workers > 0
        looked_at = list(blocks(range(valid_examples), rank, world, run.batch_size))
        return (
            DataLoader(train, size, sampler=sampler, num_workers=workers, pin_memory=pinned, persistent_workers=kept),
            DataLoader(valid, size, sampler=looked_at, num_workers=workers, pin_memory=pinned),
        )

    return loaders


def fit(
    module: lightning.LightningModule,
    loaders: Loaders,
    config: LightningTrainingConfig,
    folder: Path,
    resume: bool,
) -> None:
    """Trains a module in a run folder.

    Args:
        module: what to train; it clips its gradients by itself.
        loaders: from rank and number of devices to the loaders of training and validation.
        config: the whole configuration, written to the folder.
        folder: the run folder.
        resume: continue from the folder's checkpoint.

    Raises:
        RunError: if the folder already holds a run and `resume` is false, or a run of another configuration.
    """
    run, trainer = config.run, _trainer(config.run, folder)
    last = open_run(folder, config, resume, joins=not trainer.is_global_zero)
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    train, valid = loaders(trainer.global_rank, trainer.world_size)
    with together():
        trainer.fit(module, train, valid, ckpt_path=last, weights_only=False)


def _trainer(run: RunConfig, folder: Path) -> lightning.Trainer:
    last = ModelCheckpoint(folder, filename=Path(CHECKPOINT_FILE).stem, enable_version_counter=False, save_top_k=1)
    return lightning.Trainer(
        max_epochs=-(-run.steps // run.valid_every),
        precision="bf16-mixed" if run.precision == "bfloat16" else "32-true",
        devices=run.devices,
        # The discriminators of a vocoder enter late and not in every step.
        strategy="ddp_find_unused_parameters_true" if run.devices > 1 else "auto",
        use_distributed_sampler=False,
        logger=TensorBoardLogger(folder, name="", version="curves"),
        callbacks=[last, LearningRateMonitor("step"), TQDMProgressBar(refresh_rate=10)],
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
    )
