"""Two processes learn what one learns of the same batches, and go on with a run of one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from makesomenoise.training.language.recipe import LanguageTrainingConfig, train_language

STEPS, VALID_EVERY, ON_TWO = 12, 4, 8


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def train_on_two(config: Path, run: Path, *options: str) -> None:
    """What torchrun does: one process for each device, told its place by the environment."""
    known = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    known |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "makesomenoise", "train", "language", str(config), "--run", str(run), *options]
    started = [
        subprocess.Popen(command, env={**os.environ, **known, "RANK": str(n), "LOCAL_RANK": str(n)}, stderr=-1)
        for n in range(2)
    ]
    for process in started:
        _, told = process.communicate(timeout=400)
        assert process.returncode == 0, told.decode()[-2000:]


def losses(run: Path) -> list[float]:
    events = EventAccumulator(str(run / "curves"))
    events.Reload()
    return [event.value for event in events.Scalars("valid/loss")]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(config: LanguageTrainingConfig, tmp_path: Path):
    stages = (config.stages[0].model_copy(update={"steps": STEPS}),)
    data = config.data.model_copy(update={"samples": 0, "chats": 2})
    run = config.run.model_copy(update={"valid_every": VALID_EVERY})
    optimizer = config.optimizer.model_copy(update={"final_factor": 1.0})  # else the length of a run would matter
    two = config.model_copy(update={"stages": stages, "run": run, "data": data, "optimizer": optimizer})
    one = two.model_copy(update={"run": run.model_copy(update={"gradient_accumulation_steps": 2})})
    (tmp_path / "two.yaml").write_text(two.to_yaml())
    train_language(one, tmp_path / "one")
    train_on_two(tmp_path / "two.yaml", tmp_path / "two", "--steps", str(ON_TWO))
    train_language(one, tmp_path / "two", resume=True)  # a run of two goes on with one
    assert len(losses(tmp_path / "one")) == STEPS // VALID_EVERY
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    one_learned, two_learned = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("one", "two"))
    for name, value in one_learned.items():
        torch.testing.assert_close(two_learned[name], value, atol=2e-3, rtol=0.0)
