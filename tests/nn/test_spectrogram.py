import pytest
import torch

from makesomenoise.nn.spectrogram import TRUNK_STRIDE, SpectrogramTrunk


@pytest.mark.parametrize(("bands", "frames"), [(100, 512), (100, 500), (64, 1)])
def test_time_and_frequency_shrink_alike(bands: int, frames: int) -> None:
    trunk = SpectrogramTrunk((4, 4, 8, 6)).eval()
    maps = trunk(torch.randn(2, 1, bands, frames))
    assert maps.shape == (2, 6, -(-bands // TRUNK_STRIDE), -(-frames // TRUNK_STRIDE))


def test_a_place_of_the_result_stands_for_its_place_in_the_input() -> None:
    torch.manual_seed(0)
    trunk = SpectrogramTrunk((4, 4, 8, 6)).eval()
    quiet = torch.zeros(1, 1, 64, 640)
    loud = quiet.clone()
    loud[..., 320:330] = 3.0
    changed = (trunk(loud) - trunk(quiet)).abs().amax(dim=(0, 1, 2))
    assert changed.argmax().item() in (9, 10)
    assert changed[0] == changed[-1] == 0.0
