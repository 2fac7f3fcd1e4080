"""A varied clip is another waveform of nearly the same length, never too loud."""

import numpy as np
import pytest

from makesomenoise.data.variation import varied

RATE = 24_000


def test_it_differs_a_little(tone):
    clip = tone(2.0).numpy()
    for seed in range(20):
        other = varied(clip, RATE, np.random.default_rng(seed))
        assert other.dtype == np.float32
        assert 0.85 * len(clip) < len(other) < 1.1 * len(clip)
        assert np.abs(other).max() <= 0.95 + 1e-6
        pitch = np.abs(np.fft.rfft(other)).argmax() * RATE / len(other)
        assert pitch == pytest.approx(440, rel=0.1)
    assert len({len(varied(clip, RATE, np.random.default_rng(seed))) for seed in range(20)}) > 15


def test_it_depends_on_the_generator_alone_and_leaves_its_argument_alone(tone):
    clip = tone(0.5).numpy()
    before = clip.copy()
    first, again = (varied(clip, RATE, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(clip, before)


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_the_shortest_clips_do(samples: int):
    assert len(varied(np.ones(samples, np.float32), RATE, np.random.default_rng(0))) >= 1
    assert not varied(np.zeros(samples, np.float32), RATE, np.random.default_rng(0)).any()
