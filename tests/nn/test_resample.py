"""Resampling changes lengths by the factor and keeps each position's frames together."""

import torch

from makesomenoise.nn.resample import Downsample


def test_lengths():
    assert Downsample(6, 10, 4)(torch.randn(2, 6, 20)).shape == (2, 10, 5)


def test_frames_reach_their_own_position_only():
    down, x = Downsample(3, 2, 4), torch.randn(1, 3, 20)
    changed = x.clone()
    changed[..., 9] += 1.0
    assert (down(x) != down(changed)).any(1)[0].tolist() == [False, False, True, False, False]
