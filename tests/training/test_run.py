"""A run folder records what is trained, and goes on with nothing else."""

import multiprocessing
from pathlib import Path
from typing import Self

import pytest

from makesomenoise.config import Config
from makesomenoise.training.run import (
    CHECKPOINT_FILE,
    LightningTrainingConfig,
    RunConfig,
    RunError,
    TrainingConfig,
    open_run,
)


class Part(Config):
    rate: float = 0.5
    width: int = 2


class Settings(TrainingConfig):
    length: int = 3
    part: Part = Part()
    added_later: str = "as before"

    @property
    def steps(self) -> int:
        return self.length

    def with_steps(self, steps: int) -> Self:
        return self.model_copy(update={"length": steps})


def test_a_fresh_run_records_what_is_trained(tmp_path: Path) -> None:
    assert open_run(tmp_path / "run", Settings(), resume=False) is None
    assert Settings.from_yaml(tmp_path / "run" / "config.yaml") == Settings()
    assert (tmp_path / "run" / "commit.txt").read_text().strip()


def test_a_used_folder_is_refused_unless_the_run_goes_on(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    with pytest.raises(RunError, match="in use"):
        open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    assert open_run(tmp_path, Settings(), resume=True) == tmp_path / CHECKPOINT_FILE


def test_a_process_that_joins_a_run_writes_nothing_and_finds_its_checkpoint(tmp_path: Path) -> None:
    assert open_run(tmp_path / "run", Settings(), resume=False, joins=True) is None
    assert not (tmp_path / "run").exists()
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    assert open_run(tmp_path, Settings(), resume=True, joins=True) == tmp_path / CHECKPOINT_FILE


def test_a_run_goes_on_with_its_own_configuration_only(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    with pytest.raises(RunError, match=r"in 'part\.rate', which was 0\.5 and is 0\.25"):
        open_run(tmp_path, Settings(part=Part(rate=0.25)), resume=True)


def test_a_run_may_be_made_longer(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    assert open_run(tmp_path, Settings().with_steps(5), resume=True) == tmp_path / CHECKPOINT_FILE
    assert Settings.from_yaml(tmp_path / "config.yaml").length == 5


def test_a_run_goes_on_with_another_number_of_devices_and_as_many_examples_a_step(tmp_path: Path) -> None:
    open_run(tmp_path, LightningTrainingConfig(run=RunConfig(batch_size=8)), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    several = LightningTrainingConfig(run=RunConfig(batch_size=2, devices=4))
    assert open_run(tmp_path, several, resume=True) == tmp_path / CHECKPOINT_FILE
    with pytest.raises(RunError, match=r"in 'run\.batch_size', which was 8 and is 32"):
        open_run(tmp_path, LightningTrainingConfig(run=RunConfig(batch_size=8, devices=4)), resume=True)


def test_a_key_that_a_later_version_adds_blocks_no_run(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    (tmp_path / "config.yaml").write_text("# a comment\npart: {rate: 0.5}\nlength: 3\n")
    assert open_run(tmp_path, Settings(), resume=True) == tmp_path / CHECKPOINT_FILE


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    opened, finish = context.Event(), context.Event()

    def train() -> None:
        open_run(tmp_path, Settings(), resume=False)
        open_run(tmp_path, Settings(), resume=True)  # the process that has it may go on
        opened.set()
        finish.wait(60)

    other = context.Process(target=train)
    other.start()
    assert opened.wait(60)
    with pytest.raises(RunError, match="Another process trains in"):
        open_run(tmp_path, Settings(), resume=True)
    finish.set()
    other.join(60)
    assert other.exitcode == 0
    open_run(tmp_path, Settings(), resume=True)
