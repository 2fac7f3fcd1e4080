import pytest
import torch
from torch import Tensor

from makesomenoise.training.discriminators import (
    Discriminators,
    DiscriminatorsConfig,
    PeriodDiscriminator,
    SpectrogramDiscriminator,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)

SMALL = DiscriminatorsConfig(periods=(2, 3), period_channels=(4, 8), resolutions=(64,), spectrogram_channels=(4, 4))


def noise(seed: int = 0, samples: int = 700) -> Tensor:
    return torch.randn(2, samples, generator=torch.Generator().manual_seed(seed))


def verdict(score: float) -> list[list[Tensor]]:
    return [[torch.full((2, 3), score), torch.full((2, 3), score)]]


def test_every_discriminator_answers_and_is_taught_by_its_answer() -> None:
    judges = Discriminators(SMALL)
    verdicts = judges(noise())
    assert [len(v) for v in verdicts] == [3, 3, 3]
    discriminator_loss(verdicts, judges(noise(1))).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in judges.parameters())


def test_a_period_discriminator_reads_each_phase_alone() -> None:
    judge = PeriodDiscriminator(3, [4, 4])
    waveform = noise(samples=600)
    changed = waveform.clone()
    changed[:, 1::3] += 1.0
    differs = (judge(changed)[-1] - judge(waveform)[-1]).abs().flatten(1).amax(1).reshape(2, 3) > 0
    assert differs.tolist() == [[False, True, False], [False, True, False]]


def test_a_spectrogram_discriminator_hears_phase() -> None:
    judge = SpectrogramDiscriminator(64, [4, 4])
    assert not torch.allclose(judge(noise())[-1], judge(-noise())[-1])


def test_silence_gives_finite_gradients() -> None:
    waveform = torch.zeros(1, 700, requires_grad=True)
    adversarial_loss(Discriminators(SMALL)(waveform)).backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize(("real", "fake", "expected"), [(1.0, -1.0, 0.0), (0.0, 0.0, 2.0), (-1.0, 2.0, 5.0)])
def test_hinge_of_the_discriminators(real: float, fake: float, expected: float) -> None:
    assert discriminator_loss(verdict(real), verdict(fake)).item() == expected


def test_hinge_of_the_vocoder_rests_when_fakes_pass() -> None:
    assert adversarial_loss(verdict(1.5)).item() == 0.0
    assert adversarial_loss(verdict(-1.0)).item() == 2.0


def test_feature_distance_is_relative_and_leaves_the_score_out() -> None:
    real, fake = [[torch.full((2,), 4.0), torch.zeros(1)]], [[torch.full((2,), 5.0), torch.ones(1)]]
    assert feature_loss(real, fake).item() == 0.25
