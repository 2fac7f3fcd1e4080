"""The encoder gives one latent for four frames."""

import torch

from makesomenoise.tokenizer.encoder import Encoder, EncoderConfig


def test_shapes_and_dependence_on_the_input():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(frame_dim=16, dim=32, layers=1, heads=2, latent_dim=8), n_mels=10)
    mel = torch.randn(2, 10, 24)
    latents = encoder(mel)
    assert latents.shape == (2, 8, 6)
    assert not torch.allclose(encoder(mel + 0.1), latents)
