import math

import pytest
import torch

from makesomenoise.training.vocoder import MelScale, MelScales, mel_figure
from tests.conftest import Tone

SCALES = MelScales([MelScale(n_fft=256, n_mels=20), MelScale(n_fft=1024, n_mels=60)], 24_000)


def test_the_distance_of_a_sound_to_half_of_it_is_the_logarithm_of_two() -> None:
    waveform = torch.randn(2, 6000, generator=torch.Generator().manual_seed(0))
    assert SCALES(waveform, waveform).item() == 0.0
    assert SCALES(0.5 * waveform, waveform).item() == pytest.approx(math.log(2.0), abs=1e-4)


def test_differences_below_hearing_do_not_count() -> None:
    assert SCALES(torch.full((1, 4000), 1e-9), torch.zeros(1, 4000)).item() == 0.0


def test_a_picture_has_a_row_for_each_kind_and_a_column_for_each_clip(tone: Tone) -> None:
    mels = SCALES.mels[1](tone(0.1).expand(3, -1))
    figure = mel_figure(mels, mels, titles=("original", "vocoded"))
    assert [axis.get_title() for axis in figure.axes] == ["original"] * 3 + ["vocoded"] * 3
