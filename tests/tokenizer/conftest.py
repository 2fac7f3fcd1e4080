"""A tokenizer small enough for tests, with random weights."""

from pathlib import Path

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from tests import factories

STARTING_AT_ZERO = ("mel_out.weight", "jump.weight", "project.weight", "no_condition")
TINY = factories.settings(16, 32, steps=2, window=factories.WINDOW)
TINY["decoder"]["window"] = {"codes": 12, "context": 4}


@pytest.fixture(scope="session")
def network() -> TokenizerNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = TokenizerNetwork(TokenizerConfig.model_validate(TINY)).eval()
        for name, parameter in made.decoder.named_parameters():
            if name.endswith(STARTING_AT_ZERO):
                torch.nn.init.normal_(parameter, std=0.1)
    return made


@pytest.fixture(scope="session")
def folder(network: TokenizerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `tokenizer` and `vocoder` of a model."""
    parent = tmp_path_factory.mktemp("tiny")
    checkpoint.save_model(parent / "tokenizer", network.config, network.state_dict())
    factories.save_vocoder(parent / "vocoder")
    return parent


@pytest.fixture(scope="module", params=["onnx", "torch"])
def tokenizer(folder: Path, request: pytest.FixtureRequest) -> AudioTokenizer:
    return AudioTokenizer.load(folder / "tokenizer", folder / "vocoder", engine=request.param)


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    """Three seconds of a noisy glide [1, 72000]."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(72_000) / 24_000
    return (
        0.3 * torch.sin(2 * torch.pi * (200 + 300 * time) * time) + 0.02 * torch.randn(72_000, generator=generator)
    )[None]
