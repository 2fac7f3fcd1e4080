"""The encoder gives one latent for four frames, whatever their number."""

import pytest
import torch

from makesomenoise.tokenizer.config import CODES_PER_POSITION, EncoderConfig, SemanticBranchConfig
from makesomenoise.tokenizer.encoder import Encoder, SemanticBranch

BRANCH = SemanticBranchConfig(channels=(4, 4, 8, 8), dim=16, layers=1, heads=2)
CONFIG = EncoderConfig(semantic_branch=BRANCH, frame_dim=16, dim=32, layers=1, heads=2, latent_dim=8)


@pytest.mark.parametrize("codes", [1, 6, 8, 19])
def test_shapes_and_dependence_on_the_input(codes: int) -> None:
    torch.manual_seed(0)
    encoder = Encoder(CONFIG, n_mels=40).eval()
    mel = torch.randn(2, 40, 4 * codes)
    latents = encoder(mel)
    assert latents.shape == (2, 8, codes)
    assert not torch.allclose(encoder(mel + 0.1), latents)


def test_the_scene_branch_reaches_every_code() -> None:
    torch.manual_seed(0)
    encoder = Encoder(CONFIG, n_mels=40).eval()
    mel = torch.randn(1, 40, 4 * 19)
    before = encoder(mel)
    torch.nn.init.zeros_(encoder.scene_in.weight)
    assert ((encoder(mel) - before).abs().amax(dim=1) > 0).all()


def test_a_scene_is_as_long_as_its_codes_need() -> None:
    scene = SemanticBranch(BRANCH, n_mels=40).eval()
    assert scene(torch.randn(2, 40, 4 * (2 * CODES_PER_POSITION + 1))).shape == (2, 16, 3)


def test_peaks_reach_the_codes_where_they_are_asked_for() -> None:
    torch.manual_seed(0)
    assert Encoder(CONFIG, n_mels=40).peaks is None
    encoder = Encoder(CONFIG.model_copy(update={"spectral_peak_input": True}), n_mels=40).eval()
    mel = torch.randn(1, 40, 4 * 6)
    before = encoder(mel)
    torch.nn.init.zeros_(encoder.peaks.weight)
    assert ((encoder(mel) - before).abs().amax(dim=1) > 0).all()
