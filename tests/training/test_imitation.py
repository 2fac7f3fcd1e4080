"""A decoder begins with other codes by reading in them what it read in those of before."""

from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from makesomenoise.checkpoint import save_model
from makesomenoise.errors import ConfigError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training import tokenizer
from makesomenoise.training.imitation import Imitation, ImitationConfig
from makesomenoise.training.run import RunConfig
from makesomenoise.training.tokenizer import DataConfig, TokenizerTrainingConfig, train_tokenizer
from tests.conftest import Tone
from tests.factories import SMALL

MODEL = TokenizerConfig.model_validate(SMALL)


def saved(folder: Path, seed: int) -> Path:
    """A tokenizer with random weights, and a decoder that reads something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TokenizerNetwork(MODEL)
        for parameter in network.get_submodule("decoder.network").parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    save_model(folder, MODEL, network.state_dict(), storage="float16")
    return folder


@pytest.fixture
def config(tmp_path: Path, tone: Tone) -> TokenizerTrainingConfig:
    """New codes, and the decoder of others."""
    (tmp_path / "clips").mkdir()
    for hz in (200.0, 1000.0, 3000.0):
        soundfile.write(tmp_path / "clips" / f"{hz}.wav", tone(0.8, hz).numpy(), 24_000)
    clips = (str(tmp_path / "clips"),)
    return TokenizerTrainingConfig(
        model=MODEL,
        init_from=str(saved(tmp_path / "new", 1)),
        freeze_codes=True,
        imitate=ImitationConfig(tokenizer=str(saved(tmp_path / "before", 2)), share=0.5),
        data=DataConfig(train=clips, valid=clips, crop_codes=8, valid_crops=2),
        run=RunConfig(steps=4, valid_every=2, batch_size=2, threads=1),
    )


def examples(config: TokenizerTrainingConfig) -> list[dict[str, Tensor]]:
    module = tokenizer._crops(config, tokenizer.read_training_clips(config.data.train), [])
    return [module[number] for number in range(48)]


def test_a_decoder_that_reads_its_own_codes_has_nothing_to_learn(config: TokenizerTrainingConfig) -> None:
    assert config.imitate is not None
    imitation, network = Imitation(config.imitate), TokenizerNetwork.load(config.imitate.tokenizer)
    seen = examples(config)
    imitation.begin(network, seen)  # pyright: ignore[reportArgumentType]
    waveform = torch.stack([one["waveform"] for one in seen[:4]])
    latents = network.forward_frozen(waveform).quantized.latents
    dropped = torch.zeros(4, dtype=torch.bool)
    assert imitation.loss(network, waveform, latents, dropped).item() == pytest.approx(0.0, abs=1e-2)


def test_the_rest_of_the_decoder_is_that_of_before(config: TokenizerTrainingConfig) -> None:
    assert config.imitate is not None
    assert config.init_from is not None
    imitation, network = Imitation(config.imitate), TokenizerNetwork.load(config.init_from)
    imitation.begin(network, examples(config))  # pyright: ignore[reportArgumentType]
    own, before = network.decoder.state_dict(), imitation.before.decoder.state_dict()
    changed = {name for name, tensor in own.items() if not torch.equal(tensor, before[name])}
    assert changed <= {"network.latents_in.weight", "network.latents_in.bias", "no_condition"}
    assert "network.latents_in.weight" in changed


def test_it_learns_to_read_other_codes_and_then_goes_on_with_sound(
    config: TokenizerTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Tensor]] = []
    monkeypatch.setattr(tokenizer.TokenizerTraining, "log_dict", lambda _self, values, **_: seen.append(dict(values)))
    run = RunConfig(steps=80, valid_every=40, batch_size=4, threads=1)
    optimizer = config.optimizer.model_copy(update={"learning_rate": 5e-3, "warmup_steps": 5})
    train_tokenizer(config.model_copy(update={"run": run, "optimizer": optimizer}), tmp_path / "run")
    steps = [values for values in seen if "train/loss" in values]
    asked = [float(values["train/imitation"]) for values in steps if "train/imitation" in values]
    assert len(asked) == 40
    assert sum(asked[-10:]) < 0.6 * sum(asked[:10])
    assert ["train/reconstruction" in values for values in steps] == [False] * 40 + [True] * 40
    assert TokenizerNetwork.load(tmp_path / "run" / "model").config == config.model


def test_the_trunk_alone_can_learn(config: TokenizerTrainingConfig, tmp_path: Path) -> None:
    first = TokenizerNetwork.load(config.init_from or "").state_dict()
    alone = config.model_copy(update={"imitate": None, "freeze_denoiser": True})
    after = TokenizerNetwork.load(train_tokenizer(alone, tmp_path / "run")).state_dict()
    moved = {
        name.removeprefix("decoder.network.").split(".")[0] for name in first if (after[name] != first[name]).any()
    }
    assert {"latents_in", "trunk"} <= moved
    assert moved <= {"latents_in", "trunk", "trunk_norm", "trunk_up", "decoder"}  # the last is what no condition is


def test_what_is_imitated_is_in_no_checkpoint(config: TokenizerTrainingConfig, tmp_path: Path) -> None:
    train_tokenizer(config, tmp_path / "run")
    names = torch.load(tmp_path / "run" / "last.ckpt", weights_only=False)["state_dict"]
    assert {name.split(".")[0] for name in names} == {"network", "average"}


def test_it_needs_codes_that_stay() -> None:
    values = {"data": {"train": ["a"], "valid": ["a"]}, "init_from": "default", "imitate": {"tokenizer": "default"}}
    with pytest.raises(ConfigError, match="imitate needs freeze_codes"):
        TokenizerTrainingConfig.from_dict(values, "the test")
