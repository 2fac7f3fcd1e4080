"""Silence is found, single bursts are cut out alone, and what is not one burst is refused."""

import numpy as np
import torch

from makesomenoise.data.bursts import burst, decibels, faded, sounding, stretch

RATE = 24_000


def noise(seconds: float) -> np.ndarray:
    return (0.2 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_where_a_clip_sounds():
    start, end = sounding(np.concatenate([silence(0.5), noise(0.3), silence(0.2), noise(0.1), silence(1.0)]), RATE)
    assert (round(start, 2), round(end, 2)) == (0.5, 1.1)


def test_a_silent_clip_counts_as_a_whole():
    assert sounding(silence(2.0), RATE) == (0.0, 2.0)


def test_a_single_burst_is_cut_out():
    found = burst(np.concatenate([silence(0.5), noise(0.3), silence(1.0)]), RATE)
    assert found is not None
    assert 0.3 <= len(found) / RATE <= 0.36
    assert found[0] == 0.0


def test_of_two_bursts_one_is_taken():
    found = burst(np.concatenate([silence(0.5), noise(0.3), silence(0.5), 2 * noise(0.2), silence(0.5)]), RATE)
    assert found is not None
    assert 0.2 <= len(found) / RATE <= 0.26


def test_what_lasts_or_rises_twice_is_no_burst():
    assert burst(noise(4.0), RATE) is None
    twice = np.concatenate([silence(0.3), noise(0.2), 0.15 * noise(0.2), noise(0.2), silence(0.3)])
    assert burst(twice, RATE) is None
    assert burst(silence(1.0), RATE) is None


def test_a_stretch_is_as_long_as_asked_or_as_there_is():
    clip = np.concatenate([silence(1.0), noise(2.0), silence(1.0)])
    assert len(stretch(clip, RATE, 1.5, np.random.default_rng(0))) == 1.5 * RATE
    assert abs(len(stretch(clip, RATE, 9.0, np.random.default_rng(0))) - 2.0 * RATE) <= 0.02 * RATE
    assert decibels(stretch(clip, RATE, 1.0, np.random.default_rng(0))) > -16.0


def test_fading_leaves_its_argument_alone():
    clip = torch.ones(1000).numpy()
    assert faded(clip, RATE)[0] == 0.0
    assert clip[0] == 1.0
