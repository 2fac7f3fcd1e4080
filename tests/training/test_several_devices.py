"""Two devices that Lightning trains on learn what one learns of as many examples a step."""

from pathlib import Path
from typing import TypeVar

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.training.optimization import OptimizerConfig
from makesomenoise.training.run import LightningTrainingConfig, RunConfig
from makesomenoise.training.tokenizer import TokenizerTrainingConfig, train_tokenizer
from makesomenoise.training.vocoder import VocoderTrainingConfig, train_vocoder
from tests.conftest import Tone
from tests.factories import SMALL
from tests.processes import start_on_devices
from tests.training.test_tokenizer import tiny_tokenizer
from tests.training.test_vocoder import tiny_vocoder

Trained = TypeVar("Trained", bound=LightningTrainingConfig)


@pytest.fixture
def tokenizer(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> TokenizerTrainingConfig:
    return tiny_tokenizer(tmp_path_factory.mktemp("clips"), tone)


@pytest.fixture
def vocoder(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> VocoderTrainingConfig:
    return tiny_vocoder(tmp_path_factory.mktemp("clips"), tone)


def train_on_two(kind: str, config: LightningTrainingConfig, folder: Path, *options: str) -> None:
    """`msn train` on each of two devices."""
    path = folder.with_suffix(".yaml")
    path.write_text(config.to_yaml())
    started = start_on_devices(2, ["train", kind, path, "--run", folder, *options], folder.parent)
    assert [one.ended() for one in started] == [0, 0], started[0].told()[-3000:]


def curve(run: Path, name: str) -> list[float]:
    events = EventAccumulator(str(run / "curves"))
    events.Reload()
    return [event.value for event in events.Scalars(name)]


def on(devices: int, config: Trained) -> Trained:
    run = RunConfig(steps=6, valid_every=2, batch_size=4 // devices, threads=1, devices=devices)
    return config.model_copy(update={"run": run})


def check_same(one: Path, two: Path, name: str) -> None:
    assert len(curve(one, name)) == 3
    assert curve(two, name) == pytest.approx(curve(one, name), abs=1e-4)


@pytest.mark.slow
def test_two_devices_teach_a_tokenizer_what_one_does_and_go_on(tokenizer: TokenizerTrainingConfig, tmp_path: Path):
    data = tokenizer.data.model_copy(update={"valid_crops": 4})
    # Few codes and small steps: between codes that are all but equal rounding decides, and what follows differs.
    few = TokenizerConfig.model_validate(SMALL | {"quantizer": {"kind": "variational", "codebook_size": 16}})
    changes = {"data": data, "model": few, "optimizer": OptimizerConfig(learning_rate=1e-4, warmup_steps=0)}
    config = tokenizer.model_copy(update=changes)
    train_tokenizer(on(1, config), tmp_path / "one")
    train_on_two("tokenizer", on(2, config), tmp_path / "two")
    check_same(tmp_path / "one", tmp_path / "two", "valid/loss")
    train_on_two("tokenizer", on(2, config), tmp_path / "two", "--resume", "--steps", "8")
    assert len(curve(tmp_path / "two", "valid/loss")) == 4


@pytest.mark.slow
def test_two_devices_teach_a_vocoder_what_one_does(vocoder: VocoderTrainingConfig, tmp_path: Path):
    data = vocoder.data.model_copy(update={"valid_crops": 4})
    gan = vocoder.gan.model_copy(update={"discriminator_batch_size": 4, "discriminator_start_step": 2})
    config = vocoder.model_copy(update={"data": data, "gan": gan})
    train_vocoder(on(1, config), tmp_path / "one")
    train_on_two("vocoder", on(2, config), tmp_path / "two")
    check_same(tmp_path / "one", tmp_path / "two", "valid/mel_scales")
