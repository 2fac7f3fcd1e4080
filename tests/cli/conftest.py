"""Two tiny tokenizers with random weights and a vocoder, as folders, and a way to call `msn`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
SIZES = {"frame_dim": 8, "frame_layers": 1, "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 8, "dim": 16, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
TINY = {
    "encoder": {"semantic_branch": BRANCH, **SIZES, "latent_dim": 8},
    "window": {"codes": 12, "context": 4, "seam_frames": 8},
    "decoder": {"kind": "flow", "network": DECODER, "steps": 1},
}

Msn = Callable[..., Result]


@dataclass(frozen=True)
class Models:
    """Folders of models."""

    ours: Path
    baseline: Path
    vocoder: Path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    from makesomenoise import checkpoint
    from makesomenoise.tokenizer.config import TokenizerConfig
    from makesomenoise.tokenizer.network import TokenizerNetwork
    from makesomenoise.vocoder.config import IstftVocoderConfig
    from makesomenoise.vocoder.vocos import IstftVocoder

    folder = tmp_path_factory.mktemp("models")
    config = TokenizerConfig.from_dict(TINY)
    with torch.random.fork_rng():
        for number, name in enumerate(("ours", "baseline")):
            torch.manual_seed(number)
            network = TokenizerNetwork(config)
            torch.nn.init.normal_(network.decoder.network.mel_out.weight)  # else codes do not matter yet
            checkpoint.save_model(folder / name, config, network.state_dict())
        IstftVocoder(IstftVocoderConfig(dim=8, hidden=16, layers=1)).save(folder / "vocoder")
    return Models(folder / "ours", folder / "baseline", folder / "vocoder")


@pytest.fixture
def msn() -> Msn:
    """Calls `msn` with arguments; what it prints for the user's mistakes is in `.stderr`."""
    from makesomenoise.cli.main import app

    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
