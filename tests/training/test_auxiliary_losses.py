"""Votes count by windows of one label; outlines are guessed frame by frame from codes and their neighbours."""

import pytest
import torch
from torch import nn

from makesomenoise.audio.peaks import peak_shares
from makesomenoise.data.clips import NO_LABEL
from makesomenoise.training.auxiliary_losses import LabelHead, LabelLossConfig, MelHead, SpectralPeakHead

LABELS = torch.tensor([[0, 0, 0, 1, 1, 0, 1, 1]])


@pytest.fixture
def votes() -> LabelHead:
    torch.manual_seed(0)
    return LabelHead(LabelLossConfig(window=3, smoothing=0.0), dim=8, labels=2)


def test_votes_are_cast_by_windows_of_one_label(votes: LabelHead) -> None:
    latents = torch.randn(1, 8, 8)
    scores, names = votes(latents, LABELS)
    assert names.tolist() == [[0, NO_LABEL]]
    torch.testing.assert_close(scores[..., 0], votes.head(latents)[..., :3].mean(-1))


def test_the_loss_is_the_cross_entropy_of_the_named_windows(votes: LabelHead) -> None:
    latents = torch.randn(1, 8, 8)
    scores, _ = votes(latents, LABELS)
    torch.testing.assert_close(votes.loss(latents, LABELS), -scores.log_softmax(1)[0, 0, 0])
    right, known = votes.right(latents, LABELS)
    assert known == 1
    assert right == (scores[0, 0, 0] > scores[0, 1, 0])


def test_nothing_known_costs_nothing(votes: LabelHead) -> None:
    assert votes.loss(torch.randn(1, 8, 8), torch.full((1, 8), NO_LABEL)) == 0.0


def test_a_window_longer_than_the_crop_is_the_crop() -> None:
    votes = LabelHead(LabelLossConfig(window=100), dim=8, labels=2)
    assert votes(torch.randn(1, 8, 8), torch.zeros(1, 8, dtype=torch.long))[1].tolist() == [[0]]


def test_an_outline_gives_each_code_its_own_four_frames() -> None:
    torch.manual_seed(0)
    outline, latents = MelHead(8, n_mels=5), torch.randn(1, 8, 6)
    torch.nn.init.zeros_(outline.head[2].weight)
    with torch.no_grad():
        outline.head[2].bias.copy_(torch.arange(20.0))
    mel = torch.arange(20.0).view(5, 4).repeat(1, 6)[None]
    assert outline.loss(latents, mel) == 0.0


def test_an_outline_can_be_learned() -> None:
    torch.manual_seed(0)
    outline, latents, mel = MelHead(8, n_mels=5), torch.randn(2, 8, 6), torch.randn(2, 5, 24)
    optimizer = torch.optim.Adam(outline.parameters(), lr=1e-2)
    first = float(outline.loss(latents, mel))
    for _ in range(100):
        optimizer.zero_grad()
        outline.loss(latents, mel).backward()
        optimizer.step()
    assert float(outline.loss(latents, mel)) < 0.2 * first


def test_codes_that_tell_the_tone_have_less_peaks_loss() -> None:
    torch.manual_seed(0)
    peaks = SpectralPeakHead(dim=8, n_mels=40)
    bands = torch.randint(4, 36, (8, 6))
    mel = torch.zeros(8, 40, 24).scatter(1, bands.repeat_interleave(4, 1)[:, None], 2.0)
    shares = peak_shares(mel)
    told = nn.functional.one_hot(bands, 40).float() @ torch.randn(40, 8)
    optimizer = torch.optim.Adam(peaks.parameters(), 3e-3)
    before = float(peaks.loss(told.transpose(1, 2), shares))
    for _ in range(60):
        optimizer.zero_grad()
        loss = peaks.loss(told.transpose(1, 2), shares)
        loss.backward()
        optimizer.step()
    assert float(loss) < before / 3
    assert float(peaks.loss(torch.zeros(8, 8, 6), shares)) > 1.5 * float(loss)
