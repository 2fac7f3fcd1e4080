"""A run leaves a model that loads, and an interrupted run goes on exactly."""

from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from makesomenoise.audio.mel import MelConfig
from makesomenoise.checkpoint import CheckpointError, model_fingerprint, save_model
from makesomenoise.errors import ConfigError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training import tokenizer
from makesomenoise.training.auxiliary_losses import LabelLossConfig, MelLossConfig
from makesomenoise.training.run import RunConfig, RunError
from makesomenoise.training.tokenizer import DataConfig, TokenizerTraining, TokenizerTrainingConfig, train_tokenizer
from tests.conftest import Tone
from tests.factories import SMALL


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> TokenizerTrainingConfig:
    return tiny_tokenizer(tmp_path_factory.mktemp("clips"), tone)


def tiny_tokenizer(folder: Path, tone: Tone) -> TokenizerTrainingConfig:
    """Six steps on two labelled tones."""
    for label, hz in (("low", 200.0), ("high", 3000.0)):
        (folder / label).mkdir()
        soundfile.write(folder / label / "tone.wav", tone(0.8, hz).numpy(), 24_000)
    clips = (str(folder),)
    return TokenizerTrainingConfig(
        model=TokenizerConfig.model_validate(SMALL),
        data=DataConfig(train=clips, valid=clips, crop_codes=8, valid_crops=2),
        label_loss=LabelLossConfig(weight=1.0, min_clips_per_label=1, smoothing=0.0),
        mel_loss=MelLossConfig(weight=1.0),
        run=RunConfig(steps=6, valid_every=2, batch_size=2, threads=1),
    )


@pytest.fixture(scope="module")
def whole(config: TokenizerTrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that configuration, trained in one go."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train_tokenizer(config, folder) == folder / "model"
    return folder


def _trained(run: Path) -> dict[str, Tensor]:
    return torch.load(run / "last.ckpt", weights_only=False)["state_dict"]


def test_a_run_leaves_a_tokenizer_that_encodes(config: TokenizerTrainingConfig, whole: Path) -> None:
    loaded = AudioTokenizer.load(whole / "model", vocoder="griffin-lim")
    assert loaded.config == config.model
    assert loaded.encode(torch.randn(1, 5000) * 0.1).shape == (1, 5)
    recorded = TokenizerTrainingConfig.from_yaml(whole / "config.yaml")
    assert recorded == config


def test_the_shipped_weights_are_the_average(whole: Path) -> None:
    loaded = TokenizerNetwork.load(whole / "model")
    state = _trained(whole)
    for name, tensor in loaded.state_dict().items():
        kept = state[f"average.{name}"]
        torch.testing.assert_close(tensor, kept.half().float() if kept.is_floating_point() else kept, rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["variational", "ema"])
def test_an_interrupted_run_goes_on_exactly(
    config: TokenizerTrainingConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    model = TokenizerConfig.model_validate(SMALL | {"quantizer": {"kind": kind}})
    if model != config.model:
        config, whole = config.model_copy(update={"model": model}), tmp_path / "whole"
        train_tokenizer(config, whole)
    step = tokenizer.TokenizerTraining.training_step

    def failing(self: tokenizer.TokenizerTraining, batch: dict[str, Tensor], number: int) -> Tensor:
        if self.current_epoch == 2:
            raise InterruptedError
        return step(self, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(tokenizer.TokenizerTraining, "training_step", failing)
        with pytest.raises(InterruptedError):
            train_tokenizer(config, tmp_path / "parts")
    train_tokenizer(config, tmp_path / "parts", resume=True)
    expected, parts = _trained(whole), _trained(tmp_path / "parts")
    assert parts.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(parts[name], tensor, atol=0, rtol=0, msg=name)


def test_a_folder_in_use_is_refused(config: TokenizerTrainingConfig, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(config.to_yaml())
    with pytest.raises(RunError, match="in use"):
        train_tokenizer(config, tmp_path / "run")


def test_training_lowers_the_losses_and_codes_learn_their_label(
    config: TokenizerTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Tensor]] = []
    monkeypatch.setattr(tokenizer.TokenizerTraining, "log_dict", lambda _self, values, **_: seen.append(dict(values)))
    run = RunConfig(steps=48, valid_every=48, batch_size=4, threads=1)
    optimizer = config.optimizer.model_copy(update={"learning_rate": 5e-3, "warmup_steps": 5})
    train_tokenizer(config.model_copy(update={"run": run, "optimizer": optimizer}), tmp_path / "run")
    steps = [values for values in seen if "train/loss" in values]
    first, last = (sum(float(v["train/reconstruction"]) for v in part) for part in (steps[:10], steps[-10:]))
    assert last < 0.8 * first
    asked, answered = (sum(float(v["train/mel"]) for v in part) for part in (steps[:10], steps[-10:]))
    assert answered < 0.5 * asked
    named = [float(values["valid/label_accuracy"]) for values in seen if "valid/label_accuracy" in values]
    assert named[-1] > 0.9


def test_a_decoder_learns_on_while_the_codes_stay(config: TokenizerTrainingConfig, whole: Path, tmp_path: Path) -> None:
    first = TokenizerNetwork.load(whole / "model")
    state = first.state_dict()
    state["encoder.scene.trunk.0.0.weight"].flatten()[0] = -0.0  # whose sign an average with itself would lose
    save_model(tmp_path / "first", first.config, state)
    first = TokenizerNetwork.load(tmp_path / "first")
    further = {
        "init_from": str(tmp_path / "first"),
        "freeze_codes": True,
        "label_loss": LabelLossConfig(),
        "mel_loss": MelLossConfig(),
        "run": config.run.model_copy(update={"steps": 4, "valid_every": 2}),
    }
    second = TokenizerNetwork.load(train_tokenizer(config.model_copy(update=further), tmp_path / "second"))
    before, after = (network.state_dict() for network in (first, second))
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(name.startswith("decoder.") for name in moved)
    assert model_fingerprint(second.config, after) == model_fingerprint(first.config, before)


def test_no_gradient_of_what_codes_are_asked_reaches_the_decoder(
    config: TokenizerTrainingConfig, tmp_path: Path
) -> None:
    module = TokenizerTraining(config, ["high", "low"], tmp_path)
    batch = {
        "waveform": torch.rand(2, 8192, generator=torch.Generator().manual_seed(0)) - 0.5,
        "labels": torch.tensor([[0] * 8, [1] * 8]),
        "sounding": torch.ones(2, 8, dtype=torch.bool),
    }
    losses = module._losses(batch, progress=0.0)
    decoder = list(module.network.decoder.parameters())
    for name in ("label", "mel"):
        found = torch.autograd.grad(losses[name], decoder, retain_graph=True, allow_unused=True)
        assert all(gradient is None for gradient in found)
    found = torch.autograd.grad(losses["reconstruction"], decoder, allow_unused=True)
    assert any(gradient is not None and gradient.any() for gradient in found)


def test_a_new_decoder_learns_the_bands_of_its_data(
    config: TokenizerTrainingConfig, whole: Path, tmp_path: Path
) -> None:
    first = TokenizerNetwork.load(whole / "model")
    assert not torch.equal(first.decoder.mean, torch.zeros(100))
    further = {"init_from": str(whole / "model"), "freeze_codes": True, "mel_loss": MelLossConfig()}
    network = {"frame_dim": 8, "dim": 32, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
    model = TokenizerConfig.model_validate(SMALL | {"decoder": {"kind": "regression", "network": network}})
    other = config.model_copy(
        update=further | {"model": model, "init_decoder_from": "new", "label_loss": LabelLossConfig()}
    )
    second = TokenizerNetwork.load(train_tokenizer(other, tmp_path / "second"))
    assert torch.equal(second.encoder.state_dict()["out.weight"], first.encoder.state_dict()["out.weight"])
    torch.testing.assert_close(second.decoder.mean, first.decoder.mean)
    with pytest.raises(CheckpointError, match=r"do not match its config\.yaml: the file"):
        TokenizerTraining(config.model_copy(update=further | {"model": model}), [], tmp_path)


def test_codes_that_stay_keep_their_settings(config: TokenizerTrainingConfig, whole: Path, tmp_path: Path) -> None:
    model = config.model.model_copy(update={"mel": MelConfig(high_pass_hz=35.0)})
    other = config.model_copy(update={"init_from": str(whole / "model"), "freeze_codes": True, "model": model})
    with pytest.raises(
        CheckpointError, match=r"to stay \(freeze_codes\).* where the configuration says .*high_pass_hz"
    ):
        TokenizerTraining(other, [], tmp_path)


def test_a_regression_decoder_starts_from_a_flow_decoder(
    config: TokenizerTrainingConfig, whole: Path, tmp_path: Path
) -> None:
    flow = TokenizerNetwork.load(whole / "model")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        codes = TokenizerNetwork(config.model)
    save_model(tmp_path / "codes", codes.config, codes.state_dict())
    codes = TokenizerNetwork.load(tmp_path / "codes")
    model = TokenizerConfig.model_validate(
        SMALL | {"decoder": {"kind": "regression", "network": SMALL["decoder"]["network"]}}
    )
    baseline = TokenizerTrainingConfig(
        model=model,
        init_from=str(tmp_path / "codes"),
        init_decoder_from=str(whole / "model"),
        freeze_codes=True,
        data=config.data,
    )
    network = TokenizerTraining(baseline, [], tmp_path).network
    for name, tensor in network.state_dict().items():
        source = flow if name.startswith("decoder.") else codes
        assert torch.equal(tensor, source.state_dict()[name]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"freeze_codes": True}, "need a tokenizer to start from"),
        ({"init_from": "default", "freeze_trunk": True}, "freeze_trunk and freeze_denoiser need freeze_codes"),
        ({"init_from": "default", "freeze_denoiser": True}, "freeze_trunk and freeze_denoiser need freeze_codes"),
        (
            {"init_from": "default", "freeze_codes": True, "freeze_trunk": True, "freeze_denoiser": True},
            "leave nothing to learn",
        ),
        ({"init_from": "default", "distill": {}}, "distill needs freeze_codes"),
        ({"init_from": "default", "freeze_codes": True, "init_decoder_from": "new", "distill": {}}, "which teaches"),
        (
            {"init_from": "default", "freeze_codes": True, "distill": {}, "model": {"decoder": {"kind": "regression"}}},
            "decoder of kind flow",
        ),
    ],
)
def test_contradictions_are_refused_in_one_sentence(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TokenizerTrainingConfig.from_dict({"data": {"train": ["a"], "valid": ["b"]}} | changes)


def test_halving_makes_two_crops_of_one() -> None:
    halved = tokenizer._halved(torch.arange(12).view(2, 6))
    assert halved.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
