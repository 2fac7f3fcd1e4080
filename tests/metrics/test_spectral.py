import math

import torch

from makesomenoise.metrics.spectral import log_mel_distance, stft_distance


def noise(seed: int, samples: int = 12_000) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def test_identical_sounds_have_no_distance():
    assert log_mel_distance(noise(0), noise(0)) == 0.0
    assert stft_distance(noise(0), noise(0)) == 0.0


def test_log_mel_distance_of_a_gain_is_its_logarithm():
    mel = torch.rand(100, 40, generator=torch.Generator().manual_seed(0))
    assert math.isclose(log_mel_distance(mel, mel + math.log(2.0)), math.log(2.0), rel_tol=1e-6)


def test_stft_distance_of_a_gain_is_known_in_closed_form():
    # Half the amplitude: spectral convergence 1/2, log-magnitudes ln 2 apart, at every resolution.
    assert math.isclose(stft_distance(noise(0), 0.5 * noise(0)), 0.5 + math.log(2.0), rel_tol=1e-3)


def test_stft_distance_grows_with_the_error():
    assert stft_distance(noise(0), noise(0) + 0.01 * noise(1)) < stft_distance(noise(0), noise(0) + 0.3 * noise(1))


def test_silence_against_silence_is_zero_and_finite():
    assert stft_distance(torch.zeros(12_000), torch.zeros(12_000)) == 0.0
