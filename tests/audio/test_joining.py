"""Sounds that follow each other without a step."""

import pytest
import torch

from makesomenoise.audio.joining import crossfaded


def test_a_seam_has_no_step(tone):
    whole = tone(1.0)
    joined = crossfaded(whole[:12_000], whole[11_500:12_000], whole[12_000:])
    assert torch.allclose(joined, whole, atol=1e-6)
    moved = crossfaded(torch.ones(10), -torch.ones(5), -torch.ones(3))
    assert moved.tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 0.5, 0, -0.5, -1, -1, -1, -1])
    assert crossfaded(torch.ones(2), torch.ones(0), torch.ones(1)).tolist() == [1, 1, 1]
