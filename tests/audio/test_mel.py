"""The log-mel equals an independent one, and says what it promises about frames, floor and gradients."""

import numpy as np
import pytest
import torch
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from makesomenoise.audio.mel import FLOOR, MelConfig, MelSpectrogram, hz_to_mel, mel_filters, mel_to_hz
from makesomenoise.nn.log_mel import LogMel, magnitude, power

CONFIG = MelConfig()


@pytest.fixture(scope="module")
def mel() -> LogMel:
    return LogMel(CONFIG)


@pytest.mark.parametrize("samples", [24_000, 24_001, 256, 255, 1])
def test_it_equals_that_of_transformers(mel: LogMel, samples: int) -> None:
    waveform = np.random.default_rng(0).normal(size=samples).astype(np.float32) * 0.1
    frames = -(-samples // 256)
    padded = np.pad(waveform, (0, 256 * frames - samples))
    filters = mel_filter_bank(513, 100, 0.0, 12_000.0, 24_000, norm=None, mel_scale="htk")
    window = window_function(1024, "hann")
    expected = spectrogram(padded, window, 1024, 256, power=1.0, pad_mode="constant", mel_filters=filters)[:, :frames]
    got = mel(torch.from_numpy(waveform)[None])[0].numpy()
    assert got.shape == (100, frames)
    np.testing.assert_allclose(got, np.log(np.maximum(expected, 1e-7)), atol=2e-4)


def test_a_tone_peaks_in_its_band(mel: LogMel, tone) -> None:
    bands = mel_to_hz(np.linspace(0, hz_to_mel(np.array(12_000.0)), 102))[1:-1]
    loudest = mel(tone(1.0, 1000.0)[None])[0].mean(-1).argmax().item()
    assert abs(bands[loudest] - 1000.0) < 40.0


def test_silence_is_the_floor_and_its_gradient_finite(mel: LogMel) -> None:
    silence = torch.zeros(1, 5000, requires_grad=True)
    frames = mel(silence)
    assert frames.eq(np.float32(np.log(FLOOR))).all()
    frames.sum().backward()
    assert silence.grad is not None
    assert silence.grad.isfinite().all()


def test_frames_of_a_part_are_those_of_the_whole(mel: LogMel) -> None:
    waveform = torch.randn(1, 24_000, generator=torch.Generator().manual_seed(0))
    part = mel.valid(waveform[:, 10 * 256 - 512 : 20 * 256 + 512])
    torch.testing.assert_close(part, mel(waveform)[..., 10:21], atol=1e-5, rtol=0)


def test_filters_are_triangles_of_height_one() -> None:
    filters = mel_filters(MelConfig(n_fft=1 << 16))
    assert filters.max(1) == pytest.approx(np.ones(100), abs=0.02)
    assert ((filters > 0).sum(0) <= 2).all()


def test_an_offset_is_not_heard_above_the_high_pass() -> None:
    high_pass = MelSpectrogram(MelConfig(high_pass_hz=35.0))
    noise = np.random.default_rng(0).normal(0.0, 1e-3, (1, 24_000)).astype(np.float32)
    inside = np.s_[..., 3:-3]  # where an offset begins it is a click
    moved = np.abs(high_pass(noise + np.float32(0.01)) - high_pass(noise))[inside]
    assert moved.max() < 1e-3
    assert np.abs(MelSpectrogram(CONFIG)(noise + np.float32(0.01)) - MelSpectrogram(CONFIG)(noise))[inside].max() > 1.0


def test_what_is_above_the_high_pass_is_heard_as_before() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, (1, 24_000)).astype(np.float32)
    before, after = MelSpectrogram(CONFIG)(noise), MelSpectrogram(MelConfig(high_pass_hz=35.0))(noise)
    assert (before[:, 2:] == after[:, 2:]).all()
    assert (after[:, :2] < before[:, :2]).all()


def test_scales_are_inverse() -> None:
    hz = np.array([0.0, 440.0, 12_000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-6)


def test_magnitudes_are_absolute_values() -> None:
    spectrum = torch.randn(5, 7, dtype=torch.complex64)
    torch.testing.assert_close(magnitude(spectrum), spectrum.abs())
    torch.testing.assert_close(power(spectrum), spectrum.abs().square())


@pytest.mark.parametrize("samples", [1, 256, 5000, 24_001])
def test_arrays_and_tensors_give_the_same(mel: LogMel, samples: int) -> None:
    waveform = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(samples))
    got = MelSpectrogram(CONFIG)(waveform.numpy())
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, mel(waveform).numpy(), atol=2e-4)
