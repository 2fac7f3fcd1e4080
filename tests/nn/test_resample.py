"""Resampling changes lengths by the factor and keeps each position's frames together."""

import torch

from makesomenoise.nn.resample import Downsample, Upsample


def test_lengths():
    x = torch.randn(2, 6, 20)
    low = Downsample(6, 10, 4)(x)
    assert low.shape == (2, 10, 5)
    assert Upsample(10, 6, 4)(low).shape == x.shape


def test_a_position_reaches_its_own_frames_only():
    up, low = Upsample(3, 2, 4), torch.randn(1, 3, 5)
    changed = low.clone()
    changed[..., 2] += 1.0
    different = (up(low) != up(changed)).any(1)[0]
    assert different.tolist() == [8 <= frame < 12 for frame in range(20)]


def test_frames_reach_their_own_position_only():
    down, x = Downsample(3, 2, 4), torch.randn(1, 3, 20)
    changed = x.clone()
    changed[..., 9] += 1.0
    assert (down(x) != down(changed)).any(1)[0].tolist() == [False, False, True, False, False]
