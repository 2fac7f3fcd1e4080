from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from makesomenoise import checkpoint, model_folder
from makesomenoise.audio.mel import MelConfig
from makesomenoise.training import vocoder
from makesomenoise.training.discriminators import DiscriminatorsConfig
from makesomenoise.training.run import RunConfig
from makesomenoise.training.vocoder import (
    GanConfig,
    MelScale,
    OptimizerConfig,
    VocoderDataConfig,
    VocoderTrainingConfig,
    train_vocoder,
)
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.vocos import IstftVocoder
from tests.conftest import Tone


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> VocoderTrainingConfig:
    return tiny_vocoder(tmp_path_factory.mktemp("clips"), tone)


def tiny_vocoder(folder: Path, tone: Tone) -> VocoderTrainingConfig:
    """Six steps, the last three with discriminators, on three noisy tones."""
    for hz in (200.0, 700.0, 3000.0):
        soundfile.write(folder / f"{hz}.wav", noisy(tone(0.5, hz)).numpy(), 24_000)
    clips = (str(folder),)
    return VocoderTrainingConfig(
        model=IstftVocoderConfig(mel=MelConfig(n_fft=256, hop_samples=64, n_mels=20), dim=16, hidden=32, layers=1),
        data=VocoderDataConfig(train=clips, valid=clips, crop_seconds=0.3, valid_crops=2),
        gan=GanConfig(
            scales=(MelScale(n_fft=256, n_mels=20),),
            discriminator_start_step=3,
            discriminator_batch_size=1,
            discriminator_every=2,
            discriminators=DiscriminatorsConfig(
                periods=(2,), period_channels=(4,), resolutions=(128,), spectrogram_channels=(4,)
            ),
        ),
        run=RunConfig(steps=6, valid_every=2, batch_size=2, threads=1),
    )


@pytest.fixture(scope="module")
def whole(config: VocoderTrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that configuration, trained in one go."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train_vocoder(config, folder) == folder / "model"
    return folder


def noisy(waveform: Tensor) -> Tensor:
    return waveform + 0.1 * torch.randn(waveform.shape, generator=torch.Generator().manual_seed(0))


def trained(run: Path) -> dict[str, Tensor]:
    return torch.load(run / "last.ckpt", weights_only=False)["state_dict"]


def test_a_run_leaves_a_vocoder_that_loads(config: VocoderTrainingConfig, whole: Path) -> None:
    assert IstftVocoder.load(whole / "model").config == config.model
    averaged = {name: t for name, t in trained(whole).items() if name.startswith("average.")}
    shipped = checkpoint.load_state(whole / "model")
    assert shipped.keys() == {name.removeprefix("average.") for name in averaged}
    for name, tensor in averaged.items():
        torch.testing.assert_close(shipped[name.removeprefix("average.")], tensor.half().float(), atol=0, rtol=0)


def test_a_run_can_start_from_trained_weights(config: VocoderTrainingConfig, whole: Path, tmp_path: Path) -> None:
    first = whole / "model"
    module = vocoder.VocoderTraining(config.model_copy(update={"init_from": str(first)}), tmp_path / "second")
    for name, tensor in checkpoint.load_state(first).items():
        assert torch.equal(module.vocoder.state_dict()[name], tensor)
        assert torch.equal(module.average.state_dict()[name], tensor)


def test_a_run_can_start_from_a_bundled_vocoder(config: VocoderTrainingConfig, tmp_path: Path) -> None:
    bundled = model_folder.resolve("vocoder")
    changes = {"init_from": "vocoder", "model": model_folder.load_config(bundled, IstftVocoderConfig)}
    module = vocoder.VocoderTraining(config.model_copy(update=changes), tmp_path)
    for name, tensor in checkpoint.load_state(bundled).items():
        assert torch.equal(module.vocoder.state_dict()[name], tensor)
    with pytest.raises(checkpoint.CheckpointError, match="No model 'vocodr'"):
        vocoder.VocoderTraining(config.model_copy(update={"init_from": "vocodr"}), tmp_path)


def test_an_interrupted_run_goes_on_exactly(
    config: VocoderTrainingConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = vocoder.VocoderTraining.training_step

    def failing(self: vocoder.VocoderTraining, batch: dict[str, Tensor], number: int) -> None:
        if self.current_epoch == 2:
            raise InterruptedError
        step(self, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(vocoder.VocoderTraining, "training_step", failing)
        with pytest.raises(InterruptedError):
            train_vocoder(config, tmp_path / "parts")
    train_vocoder(config, tmp_path / "parts", resume=True)
    expected, parts = trained(whole), trained(tmp_path / "parts")
    assert parts.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(parts[name], tensor, atol=0, rtol=0, msg=name)


def test_discriminators_enter_after_the_reconstruction_steps(
    config: VocoderTrainingConfig, whole: Path, tmp_path: Path
) -> None:
    start = vocoder.VocoderTraining(config, tmp_path).state_dict()
    # The discriminators learn at even steps, so that step 5 is none of theirs.
    late = config.gan.model_copy(update={"discriminator_start_step": 5})
    train_vocoder(config.model_copy(update={"gan": late}), tmp_path / "late")
    usual, later = (
        {name for name, tensor in trained(run).items() if not torch.equal(tensor, start[name])}
        for run in (whole, tmp_path / "late")
    )
    assert any(name.startswith("discriminators.") for name in usual)
    assert not any(name.startswith("discriminators.") for name in later)


def test_the_mel_distance_falls(config: VocoderTrainingConfig, tmp_path: Path, tone: Tone) -> None:
    changes = {
        "run": RunConfig(steps=40, valid_every=40, batch_size=2, threads=1),
        "gan": config.gan.model_copy(update={"discriminator_start_step": 40}),
        "optimizer": OptimizerConfig(learning_rate=1e-2, warmup_steps=4, ema_decay=0.9),
    }
    config = config.model_copy(update=changes)
    start = vocoder.VocoderTraining(config, tmp_path)
    end = IstftVocoder.load(train_vocoder(config, tmp_path / "run"))
    waveform = noisy(tone(6400 / 24_000, 500.0))[None]
    mel = start.log_mel(waveform)
    with torch.no_grad():
        before, after = (start.distance(network(mel), waveform).item() for network in (start.vocoder, end))
    assert after < 0.6 * before
