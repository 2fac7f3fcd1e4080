"""Samples are converted where it is clear how, and refused in one sentence where it is not."""

import numpy as np
import pytest
import torch

from makesomenoise.errors import RequestError
from makesomenoise.tokenizer.waveforms import as_waveforms


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (torch.tensor([[0.5, -0.5]], dtype=torch.float64), [0.5, -0.5]),
        (np.array([[16384, -32768]], dtype=np.int16), [0.5, -1.0]),
        (torch.tensor([[2**30, -(2**31)]], dtype=torch.int32), [0.5, -1.0]),
        (np.array([[192, 0]], dtype=np.uint8), [0.5, -1.0]),
        ([[0, 1, -1]], [0.0, 1.0, -1.0]),
        (np.array([[[0.5, 1.0], [0.0, -1.0]]], dtype=np.float32), [0.25, 0.0]),
    ],
)
def test_clear_forms_are_converted(samples, wanted):
    (clip,) = as_waveforms(samples, None, 24_000, 24_000)
    assert clip.dtype == torch.float32
    assert clip.tolist() == pytest.approx(wanted)


def test_clips_end_where_their_lengths_say():
    clips = as_waveforms(torch.ones(2, 5), [5, 2], 24_000, 24_000)
    assert [len(clip) for clip in clips] == [5, 2]


def test_a_tone_is_the_same_at_another_rate():
    tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)[None]
    (clip,) = as_waveforms(tone, None, 44_100, 24_000)
    wanted = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    assert np.abs(clip.numpy()[1000:-1000] - wanted[1000:-1000]).max() < 1e-3


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(5), r"Expected a waveform \[B, S\] with S > 0, got shape \[5\]"),
        (torch.zeros(0, 5), "got shape"),
        (np.zeros((1, 5), dtype=bool), "as floats or integers"),
        (np.zeros((1, 5), dtype=complex), "as floats or integers"),
        ([[0.0, 1.0], [0.0]], "Expected numbers"),
        ("rain.wav", "Expected numbers"),
        (torch.tensor([[0.0, 20_000.0]]), r"Expected samples in \[-1, 1\], got one of 20000"),
        (torch.tensor([[0.0, torch.nan]]), "not finite"),
    ],
)
def test_unclear_forms_are_refused(samples, message):
    with pytest.raises(RequestError, match=message) as caught:
        as_waveforms(samples, None, 24_000, 24_000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(RequestError, match="sample rate above 0 Hz"):
        as_waveforms(torch.zeros(1, 5), None, rate, 24_000)
