"""Runs that one optimiser and Lightning's own loop carry: their settings, trainer, checkpoints and exact resumption."""

from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from makesomenoise.config import Config
from makesomenoise.data.epochs import EpochSampler
from makesomenoise.training.runs import CHECKPOINT_FILE, open_run


class RunConfig(Config):
    """Length, seed and machine of a run.

    Attributes:
        steps: training steps; a multiple of `valid_every`.
        valid_every: steps between two validations, each of which ends with a checkpoint.
        batch_size: examples a step and device.
        seed: of weights, examples and noise.
        precision: of the arithmetic, as Lightning names it.
        devices: number of devices; several train with DDP.
        threads: CPU threads, or none for torch's choice.
    """

    steps: int = 10_000
    valid_every: int = 250
    batch_size: int = 8
    seed: int = 0
    precision: str = "32-true"
    devices: int = 1
    threads: int | None = None


Loaders = Callable[[int, int], tuple[DataLoader, DataLoader]]


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
        sampler = EpochSampler(run.valid_every * run.batch_size, rank, world)
        size, kept = run.batch_size, workers > 0
        looked_at = range(rank, valid_examples, world)
        return (
            DataLoader(train, size, sampler=sampler, num_workers=workers, pin_memory=pinned, persistent_workers=kept),
            DataLoader(valid, size, sampler=looked_at, num_workers=workers, pin_memory=pinned),
        )

    return loaders


def fit(
    module: lightning.LightningModule,
    loaders: Loaders,
    config: Config,
    run: RunConfig,
    folder: Path,
    resume: bool,
) -> None:
    """Trains a module in a run folder.

    Args:
        module: what to train; it clips its gradients by itself.
        loaders: from rank and number of devices to the loaders of training and validation.
        config: the whole configuration, written to the folder.
        run: its part about the run.
        folder: the run folder.
        resume: continue from the folder's checkpoint.

    Raises:
        RunError: if the folder already holds a run and `resume` is false, or a run of another configuration.
    """
    trainer = _trainer(run, folder)
    last = open_run(folder, config, resume, joins=not trainer.is_global_zero)
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    train, valid = loaders(trainer.global_rank, trainer.world_size)
    trainer.fit(module, train, valid, ckpt_path=last, weights_only=False)


def _trainer(run: RunConfig, folder: Path) -> lightning.Trainer:
    last = ModelCheckpoint(folder, filename=Path(CHECKPOINT_FILE).stem, enable_version_counter=False, save_top_k=1)
    return lightning.Trainer(
        max_epochs=-(-run.steps // run.valid_every),
        precision=run.precision,  # pyright: ignore[reportArgumentType] - the trainer checks the name
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
