"""A tokenizer small enough for tests, with random weights."""

import pytest
import torch

from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.vocoder.vocos import IstftVocoder, IstftVocoderConfig

DECODER = {"frame_dim": 16, "dim": 32, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
STARTING_AT_ZERO = ("mel_out.weight", "jump.weight", "project.weight", "no_condition")
TINY = {
    "encoder": {
        "scene": {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2},
        "frame_dim": 16,
        "dim": 32,
        "layers": 1,
        "heads": 2,
        "latent_dim": 8,
    },
    "window": {"codes": 12, "context": 4, "seam_frames": 8},
    "decoder": {"kind": "flow", "network": DECODER, "window": {"codes": 12, "context": 4}, "steps": 2},
}


@pytest.fixture(scope="module")
def tokenizer() -> AudioTokenizer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenizerNetwork(TokenizerConfig.model_validate(TINY))
        for name, parameter in network.decoder.named_parameters():
            if name.endswith(STARTING_AT_ZERO):
                torch.nn.init.normal_(parameter, std=0.1)
        return AudioTokenizer(network, IstftVocoder(IstftVocoderConfig(dim=16, hidden=32, layers=1)))


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    """Three seconds of a noisy glide [1, 72000]."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(72_000) / 24_000
    return (
        0.3 * torch.sin(2 * torch.pi * (200 + 300 * time) * time) + 0.02 * torch.randn(72_000, generator=generator)
    )[None]
