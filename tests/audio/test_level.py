"""Levels of waveforms, and the same sound at another level."""

import math

import numpy as np
import pytest

from makesomenoise.audio.level import USUAL_DB, level_db, levelled

RATE = 8000


def tone(seconds: float, amplitude: float) -> np.ndarray:
    return amplitude * np.sin(2.0 * math.pi * 100.0 * np.arange(round(seconds * RATE), dtype=np.float32) / RATE)


def test_the_level_is_that_of_the_loudest_part():
    steady = tone(1.0, 0.1)
    assert level_db(steady, RATE) == pytest.approx(20.0 * math.log10(0.1) - 10.0 * math.log10(2.0), abs=0.01)
    between = np.concatenate((np.zeros(3 * RATE), steady, np.zeros(2 * RATE)))
    assert level_db(between, RATE) == pytest.approx(level_db(steady, RATE), abs=0.01)
    assert level_db(tone(0.1, 0.1), RATE) == pytest.approx(level_db(steady, RATE), abs=0.01)
    assert level_db(np.zeros(RATE), RATE) == pytest.approx(-100.0)
    assert level_db(np.ones(1), RATE) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("amplitude", [0.003, 0.05, 0.9])
def test_sounds_of_any_level_become_as_loud(amplitude):
    sound = tone(1.0, amplitude)
    changed = levelled(sound, RATE)
    assert level_db(changed, RATE) == pytest.approx(USUAL_DB, abs=0.01)
    np.testing.assert_allclose(changed / np.abs(changed).max(), sound / np.abs(sound).max(), atol=1e-6)
    assert level_db(levelled(sound, RATE, -30.0), RATE) == pytest.approx(-30.0, abs=0.01)


def test_nothing_is_clipped_and_silence_stays_soft():
    click = np.zeros(RATE)
    click[100] = 0.01
    assert float(levelled(click, RATE).max()) == pytest.approx(0.95)
    assert level_db(levelled(tone(1.0, 1e-4), RATE), RATE) == pytest.approx(level_db(tone(1.0, 1e-2), RATE), abs=0.01)
    assert np.array_equal(levelled(np.zeros(RATE), RATE), np.zeros(RATE))
    assert levelled(np.zeros(0), RATE).shape == (0,)
