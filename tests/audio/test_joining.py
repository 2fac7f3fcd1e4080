"""Sounds that follow each other without a step."""

import numpy as np
import pytest

from makesomenoise.audio.joining import crossfaded


def test_a_seam_has_no_step(tone):
    whole = np.asarray(tone(1.0))
    joined = crossfaded(whole[:12_000], whole[11_500:12_000], whole[12_000:])
    assert np.allclose(joined, whole, atol=1e-6)
    moved = crossfaded(np.ones(10), -np.ones(5), -np.ones(3))
    assert moved.tolist() == pytest.approx([1, 1, 1, 1, 1, 1, 0.5, 0, -0.5, -1, -1, -1, -1])
    assert crossfaded(np.ones(2), np.ones(0), np.ones(1)).tolist() == [1, 1, 1]
