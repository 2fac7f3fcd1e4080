"""Arrays of sound become waveforms where there is one way to take them, and are refused in one sentence else."""

import warnings

import numpy as np
import pytest
import torch

from makesomenoise.audio import arrays, io
from makesomenoise.errors import RequestError

SOUND = torch.rand(1, 24_000, generator=torch.Generator().manual_seed(0)) - 0.5


@pytest.fixture
def silent():
    """No warning is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", io.AudioWarning)
        yield


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("given", "step"),
    [
        (SOUND, 0.0),
        (SOUND[0], 0.0),
        (SOUND[:, None], 0.0),
        (SOUND.double(), 0.0),
        (SOUND.numpy(), 0.0),
        (SOUND.double().numpy().astype(">f8"), 1e-7),
        (SOUND.T.numpy(), 0.0),
        (SOUND.tolist(), 0.0),
        (SOUND[0].tolist(), 0.0),
        (SOUND.numpy().astype(np.longdouble), 0.0),
        (SOUND.half(), 1e-3),
        (SOUND.bfloat16(), 1e-2),
        ((SOUND * 32768).round().short(), 2**-15),
        ((SOUND * 32768).round().short().numpy(), 2**-15),
        ((SOUND.double() * 2**31).int(), 1e-6),
        ((SOUND * 128).round().to(torch.int8), 2**-7),
        ((SOUND * 128 + 128).round().to(torch.uint8), 2**-7),
    ],
)
def test_what_can_only_mean_one_sound_becomes_it(given, step: float):
    waveform = arrays.batch(given)
    assert waveform.dtype == np.float32
    assert waveform.shape == SOUND.shape
    assert np.abs(waveform - SOUND.numpy()).max() <= step


@pytest.mark.usefixtures("silent")
def test_silence_and_steady_values_stay_what_they_are():
    assert np.array_equal(arrays.batch([[0] * 100]), torch.zeros(1, 100))
    assert np.array_equal(arrays.batch(torch.full((2, 100), 0.7)), torch.full((2, 100), 0.7))
    assert np.array_equal(arrays.batch(SOUND * 8), SOUND * 8)


def test_channels_are_averaged_and_that_is_said():
    stereo = torch.stack((SOUND[0], -0.5 * SOUND[0]))
    expected = SOUND[0] * 0.25
    for given, take in ((stereo.T, arrays.batch), (stereo[None], arrays.batch), (stereo, arrays.single)):
        with pytest.warns(io.AudioWarning, match="2 channels, which are averaged") as caught:
            waveform = take(given)
        assert len(caught) == 1
        np.testing.assert_allclose(waveform.flatten(), expected, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", io.AudioWarning)
        assert np.array_equal(arrays.batch(stereo), stereo)  # two sounds
        assert np.array_equal(arrays.single(SOUND), SOUND[0])


def test_values_far_beyond_full_scale_are_divided_row_by_row_and_that_is_said():
    with pytest.warns(io.AudioWarning, match=r"far beyond full scale, which is 1: it is divided by 32768\."):
        waveform = arrays.batch(torch.cat((SOUND, SOUND * 32768)))
    np.testing.assert_allclose(waveform, torch.cat((SOUND, SOUND)), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(2, 0), r"Expected a waveform \[B, S\] with S > 0, got shape \[2, 0\]"),
        ([], "Expected a waveform"),
        (torch.zeros(1, 1, 2, 3), "Expected a waveform"),
        (torch.arange(100), "Cannot tell the scale of int64 samples"),
        (torch.zeros(1, 100, dtype=torch.bool), "Cannot tell the scale"),
        (torch.zeros(1, 100, dtype=torch.complex64), "as numbers in rows of one length, got Tensor"),
        (np.zeros((1, 100), np.complex64), "as numbers in rows of one length, got ndarray"),
        ([[0.0, 0.1], [0.2]], "as numbers in rows of one length, got list"),
        ("sound.wav", "as numbers in rows of one length, got str"),
        (None, "got NoneType"),
        (torch.full((1, 100), torch.nan), "not finite"),
        (torch.full((1, 100), 1e30), r"peak of 1e\+30"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(given, message: str):
    with pytest.raises(RequestError, match=message) as caught:
        arrays.batch(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100])
def test_another_rate_becomes_what_a_file_of_that_rate_does(rate: int, tmp_path):
    io.save(tmp_path / "sound.wav", SOUND[0], rate)
    stored = io.load(tmp_path / "sound.wav", rate)
    assert np.array_equal(arrays.at_rate(stored, rate, 24_000), io.load(tmp_path / "sound.wav"))


@pytest.mark.parametrize("rate", [0, -8000, 50, 44_100.5, float("nan"), 10**9])
def test_a_rate_of_no_sound_is_refused(rate):
    with pytest.raises(RequestError, match="Expected a whole sample rate of 100 to 10000000 Hz"):
        arrays.at_rate(SOUND[0], rate, 24_000)
