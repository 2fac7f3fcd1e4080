"""Two processes learn what one learns of the same batches, and go on with a run of one."""

import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from makesomenoise.language.model import LanguageModel
from makesomenoise.training.language.frame_supervision import FrameSupervisionConfig
from makesomenoise.training.language.recipe import LanguageTrainingConfig, train_language
from makesomenoise.training.run import last_checkpoint
from tests.processes import Msn, start_on_devices


def start_two(config: Path, run: Path, *options: str, **known: str) -> list[Msn]:
    words = ["--verbose", "train", "language", config, "--run", run, *options]
    return start_on_devices(2, words, config.parent, ACCELERATE_USE_CPU="true", **known)


def train_on_two(config: Path, run: Path, *options: str, **known: str) -> list[str]:
    """What each of them has told."""
    started = start_two(config, run, *options, **known)
    assert [one.ended() for one in started] == [0, 0], started[0].told()[-2000:]
    return [one.told() for one in started]


def losses(run: Path) -> list[float]:
    events = EventAccumulator(str(run / "curves"))
    events.Reload()
    return [event.value for event in events.Scalars("valid/loss")]


def several(config: LanguageTrainingConfig, steps: int, valid_every: int) -> LanguageTrainingConfig:
    """A run that two processes may take part in."""
    stages = (config.stages[0].model_copy(update={"steps": steps}),)
    data = config.data.model_copy(update={"samples": 0, "chats": 2})
    run = config.run.model_copy(update={"valid_every": valid_every})
    optimizer = config.optimizer.model_copy(update={"final_factor": 1.0})  # else the length of a run would matter
    return config.model_copy(update={"stages": stages, "run": run, "data": data, "optimizer": optimizer})


def learned(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def check_same(run: Path, other: Path, count: int) -> None:
    assert len(losses(run)) == len(losses(other)) == count
    assert losses(run) == pytest.approx(losses(other), abs=1e-4)
    for name, value in learned(other).items():
        torch.testing.assert_close(learned(run)[name], value, atol=2e-3, rtol=0.0)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(config: LanguageTrainingConfig, tmp_path: Path):
    two = several(config, 6, valid_every=2)
    one = two.model_copy(update={"run": two.run.model_copy(update={"gradient_accumulation_steps": 2})})
    (tmp_path / "two.yaml").write_text(two.to_yaml())
    train_language(one, tmp_path / "one")
    train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "4")
    train_language(one, tmp_path / "two", resume=True)  # a run of two goes on with one
    check_same(tmp_path / "two", tmp_path / "one", 3)


@pytest.mark.slow
def test_two_processes_that_share_out_a_model_learn_what_one_learns(config: LanguageTrainingConfig, tmp_path: Path):
    grounded = config.model_copy(update={"frame_supervision": FrameSupervisionConfig(steps=2, layers=1)})
    two = several(grounded, 6, valid_every=2)
    one = two.model_copy(update={"run": two.run.model_copy(update={"gradient_accumulation_steps": 2})})
    (tmp_path / "two.yaml").write_text(two.to_yaml())
    shared = {"ACCELERATE_USE_FSDP": "true"}
    for told in train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "2", **shared):
        here, everywhere = map(int, re.findall(r"(\d+) of (\d+) parameters are kept here", told)[-1])
        assert here == pytest.approx(everywhere / 2, rel=0.01)
    train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "4", "--resume", **shared)
    train_language(one, tmp_path / "one")
    train_language(one, tmp_path / "two", resume=True)  # a model that was shared out is whole again
    check_same(tmp_path / "two", tmp_path / "one", 3)
    assert LanguageModel.load(tmp_path / "two" / "model").config.lora == config.lora


@pytest.mark.slow
def test_the_death_of_one_process_ends_the_other_in_one_sentence(config: LanguageTrainingConfig, tmp_path: Path):
    (tmp_path / "two.yaml").write_text(several(config, 2000, valid_every=4).to_yaml())
    left, killed = start_two(tmp_path / "two.yaml", tmp_path / "run")
    while last_checkpoint(tmp_path / "run") is None and killed.process.is_alive():
        time.sleep(0.1)
    killed.process.kill()
    assert left.ended(60) == 2
    said = [line for line in left.told().splitlines() if "msn: Another process of this training has died" in line]
    assert len(said) == 1, left.told()[-3000:]
    assert "Traceback" not in left.told()
    reached = int(last_checkpoint(tmp_path / "run").name.rpartition("-")[2])
    train_on_two(tmp_path / "two.yaml", tmp_path / "run", "--resume", "--steps", str(reached + 4))
    assert (tmp_path / "run" / f"checkpoint-{reached + 4}").exists()
