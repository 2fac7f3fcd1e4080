"""The loss is 0 for equal mels, grows with difference, reaches the prediction and leaves the looking network alone."""

from pathlib import Path

import pytest
import torch

from makesomenoise.checkpoint import CheckpointError, save_model
from makesomenoise.tokenizer.encoder import SceneConfig, SceneEncoder
from makesomenoise.training.likeness import Likeness

SCENE = SceneConfig(channels=(4, 4, 8, 8), dim=16, layers=1, heads=2)


@pytest.fixture
def likeness(tmp_path: Path) -> Likeness:
    torch.manual_seed(0)
    save_model(tmp_path, SCENE, SceneEncoder(SCENE, 40).state_dict())
    return Likeness(tmp_path, 40)


def test_equal_mels_are_alike_and_different_ones_less(likeness: Likeness) -> None:
    mel = torch.randn(2, 40, 64)
    assert float(likeness(mel, mel)) == 0.0
    near, far = (float(likeness(mel + amount * torch.randn_like(mel), mel)) for amount in (0.1, 1.0))
    assert 0.0 < near < far


def test_the_prediction_gets_the_gradient(likeness: Likeness) -> None:
    predicted, mel = torch.randn(2, 40, 64, requires_grad=True), torch.randn(2, 40, 64)
    likeness(predicted, mel).backward()
    assert predicted.grad is not None
    assert predicted.grad.abs().sum() > 0
    assert all(p.grad is None for p in likeness.parameters())


def test_its_statistics_stay_also_in_training(likeness: Likeness) -> None:
    before = {name: tensor.clone() for name, tensor in likeness.state_dict().items()}
    likeness.train()
    likeness(torch.randn(2, 40, 64), torch.randn(2, 40, 64))
    assert all(torch.equal(tensor, before[name]) for name, tensor in likeness.state_dict().items())


def test_another_mel_is_refused(likeness: Likeness, tmp_path: Path) -> None:
    assert likeness is not None
    with pytest.raises(CheckpointError):
        Likeness(tmp_path, 100)
