"""The trained part: normalisation is invertible, and the training path gives gradients to all of it."""

import torch

from makesomenoise.tokenizer.config import ScaleConfig, TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork

DECODER = {"frame_dim": 16, "dim": 32, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
TINY = {
    "encoder": {
        "semantic_branch": {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2},
        "frame_dim": 16,
        "dim": 32,
        "layers": 1,
        "heads": 2,
        "latent_dim": 8,
    },
    "quantizer": {"kind": "variational", "codebook_size": 64},
    "decoder": {
        "kind": "flow",
        "network": DECODER,
        "drop_condition": 0.0,
    },
}


def _network() -> TokenizerNetwork:
    torch.manual_seed(0)
    return TokenizerNetwork(TokenizerConfig.model_validate(TINY))


def test_normalising_and_restoring_changes_nothing_above_the_floor():
    scale, mel = ScaleConfig(), torch.linspace(-7.9, 5.0, 100).view(1, 100, 1)
    torch.testing.assert_close(scale.restore(scale.normalise(mel)), mel)
    assert scale.restore(scale.normalise(torch.full((1, 100, 1), -16.0))).eq(-8.0).all()


def test_every_parameter_that_matters_gets_a_gradient():
    network = _network()
    torch.nn.init.normal_(network.decoder.network.mel_out.weight)  # nothing else learns while it is zero
    losses = network(torch.randn(2, 32768) * 0.1, 0.5, torch.Generator().manual_seed(0))
    (losses.reconstruction.loss + losses.quantized.loss).backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    # The modulation starts at zero, so what lies before it learns from the second step on; no example was dropped.
    late = {name for name in without if name.startswith("decoder.network.step.")}
    assert without - late == {"decoder.no_condition"}


def test_codes_decode_to_four_frames_each_above_the_floor():
    network = _network()
    codes = network.encode(network.mel(torch.randn(1, 8192) * 0.1))
    assert codes.shape == (1, 8)
    mel = network.decode(codes, torch.randn(1, 100, 32), 2, 1.0)
    assert mel.shape == (1, 100, 32)
    assert mel.min() >= -8.0
