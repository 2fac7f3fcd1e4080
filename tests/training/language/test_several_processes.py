"""Two processes learn what one learns of the same batches, and go on with a run of one."""

import os
import re
import socket
import subprocess
import sys
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


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start_two(config: Path, run: Path, *options: str, **known: str) -> list[subprocess.Popen]:
    """What torchrun does: one process for each device, told its place by the environment."""
    known |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    known |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "makesomenoise",
        "--verbose",
        "train",
        "language",
        str(config),
        "--run",
        str(run),
        *options,
    ]
    return [
        subprocess.Popen(command, env={**os.environ, **known, "RANK": str(n), "LOCAL_RANK": str(n)}, stderr=-1)
        for n in range(2)
    ]


def train_on_two(config: Path, run: Path, *options: str, **known: str) -> list[str]:
    """What each of them has told."""
    found = []
    for process in start_two(config, run, *options, **known):
        _, told = process.communicate(timeout=400)
        assert process.returncode == 0, told.decode()[-2000:]
        found.append(told.decode())
    return found


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
    two = several(config, 12, valid_every=4)
    one = two.model_copy(update={"run": two.run.model_copy(update={"gradient_accumulation_steps": 2})})
    (tmp_path / "two.yaml").write_text(two.to_yaml())
    train_language(one, tmp_path / "one")
    train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "8")
    train_language(one, tmp_path / "two", resume=True)  # a run of two goes on with one
    check_same(tmp_path / "two", tmp_path / "one", 3)


@pytest.mark.slow
def test_two_processes_that_share_out_a_model_learn_what_one_learns(config: LanguageTrainingConfig, tmp_path: Path):
    grounded = config.model_copy(update={"frame_supervision": FrameSupervisionConfig(steps=4, layers=1)})
    two = several(grounded, 24, valid_every=4)
    one = two.model_copy(update={"run": two.run.model_copy(update={"gradient_accumulation_steps": 2})})
    (tmp_path / "two.yaml").write_text(two.to_yaml())
    shared = {"ACCELERATE_USE_FSDP": "true"}
    for told in train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "8", **shared):
        here, everywhere = map(int, re.findall(r"(\d+) of (\d+) parameters are kept here", told)[-1])
        assert here == pytest.approx(everywhere / 2, rel=0.01)
    train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", "16", "--resume", **shared)
    train_language(one, tmp_path / "one")
    train_language(one, tmp_path / "two", resume=True)  # a model that was shared out is whole again
    check_same(tmp_path / "two", tmp_path / "one", 6)
    assert LanguageModel.load(tmp_path / "two" / "model").config.lora == config.lora


@pytest.mark.slow
def test_the_death_of_one_process_ends_the_other_in_one_sentence(config: LanguageTrainingConfig, tmp_path: Path):
    (tmp_path / "two.yaml").write_text(several(config, 2000, valid_every=4).to_yaml())
    left, killed = start_two(tmp_path / "two.yaml", tmp_path / "run")
    while last_checkpoint(tmp_path / "run") is None and killed.poll() is None:
        time.sleep(0.1)
    killed.kill()
    _, told = left.communicate(timeout=60)
    killed.communicate()
    assert left.returncode == 2
    said = [line for line in told.decode().splitlines() if "msn: Another process of this training has died" in line]
    assert len(said) == 1, told.decode()[-3000:]
    assert "Traceback" not in told.decode()
    reached = int(last_checkpoint(tmp_path / "run").name.rpartition("-")[2])
    train_on_two(tmp_path / "two.yaml", tmp_path / "run", "--resume", "--steps", str(reached + 4))
    assert (tmp_path / "run" / f"checkpoint-{reached + 4}").exists()
