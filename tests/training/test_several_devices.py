"""Two devices that Lightning trains on learn what one learns of as many examples a step."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.training.optimization import OptimizerConfig
from makesomenoise.training.run import LightningTrainingConfig, RunConfig
from makesomenoise.training.tokenizer import TokenizerTrainingConfig
from makesomenoise.training.vocoder import VocoderTrainingConfig
from tests.conftest import Tone
from tests.factories import SMALL
from tests.training.test_tokenizer import tiny_tokenizer
from tests.training.test_vocoder import tiny_vocoder


@pytest.fixture
def tokenizer(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> TokenizerTrainingConfig:
    return tiny_tokenizer(tmp_path_factory.mktemp("clips"), tone)


@pytest.fixture
def vocoder(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> VocoderTrainingConfig:
    return tiny_vocoder(tmp_path_factory.mktemp("clips"), tone)


def train(kind: str, config: LightningTrainingConfig, folder: Path) -> Path:
    """`msn train`, which starts the processes that it needs."""
    path = folder.with_suffix(".yaml")
    path.write_text(config.to_yaml())
    command = [sys.executable, "-m", "makesomenoise", "train", kind, str(path), "--run", str(folder)]
    known = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def curve(run: Path, name: str) -> list[float]:
    events = EventAccumulator(str(run / "curves"))
    events.Reload()
    return [event.value for event in events.Scalars(name)]


def on(devices: int, config: LightningTrainingConfig) -> LightningTrainingConfig:
    run = RunConfig(steps=30, valid_every=10, batch_size=4 // devices, threads=1, devices=devices)
    return config.model_copy(update={"run": run})


def check_same(kind: str, config: LightningTrainingConfig, name: str, folder: Path) -> None:
    one, two = (train(kind, on(devices, config), folder / str(devices)) for devices in (1, 2))
    assert len(curve(one, name)) == 3
    assert curve(two, name) == pytest.approx(curve(one, name), abs=1e-4)


@pytest.mark.slow
def test_two_devices_teach_a_tokenizer_what_one_does(tokenizer: TokenizerTrainingConfig, tmp_path: Path):
    data = tokenizer.data.model_copy(update={"valid_crops": 4})
    # Few codes and small steps: between codes that are all but equal rounding decides, and what follows differs.
    few = TokenizerConfig.model_validate(SMALL | {"quantizer": {"kind": "variational", "codebook_size": 16}})
    changes = {"data": data, "model": few, "optimizer": OptimizerConfig(learning_rate=1e-4, warmup_steps=0)}
    check_same("tokenizer", tokenizer.model_copy(update=changes), "valid/loss", tmp_path)


@pytest.mark.slow
def test_two_devices_teach_a_vocoder_what_one_does(vocoder: VocoderTrainingConfig, tmp_path: Path):
    data = vocoder.data.model_copy(update={"valid_crops": 4})
    gan = vocoder.gan.model_copy(update={"discriminator_batch_size": 4, "discriminator_start_step": 10})
    check_same("vocoder", vocoder.model_copy(update={"data": data, "gan": gan}), "valid/mel_scales", tmp_path)
