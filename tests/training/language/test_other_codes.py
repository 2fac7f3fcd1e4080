"""New codes begin as the old ones of the same moments."""

import pytest
import torch

from makesomenoise.data.codes import CodeClip, CodeClips
from makesomenoise.training.language.other_codes import OtherCodesError, shared_moments, translated


def clips(**codes: tuple[int, ...]) -> CodeClips:
    return CodeClips.of([CodeClip(key, made, 1.0, (0.0, 1.0), dataset="esc50") for key, made in codes.items()])


def test_moments_are_counted_clip_by_clip():
    new, old = clips(a=(0, 1, 1) * 50, b=(2,) * 9), clips(a=(3, 3, 2) * 49, c=(0,) * 9)
    counts = shared_moments(new, old, 4)
    assert counts.tolist() == [[0, 0, 0, 49], [0, 0, 49, 49], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_clips_of_elsewhere_are_refused():
    with pytest.raises(OtherCodesError, match="encode the same sources with both"):
        shared_moments(clips(a=(0,) * 200), clips(b=(0,) * 200), 4)


def test_rows_are_means_that_keep_their_length():
    rows = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    counts = torch.tensor([[9.0, 0, 0, 0], [5, 5, 0, 0], [0, 0, 7, 0], [0, 0, 0, 1]])
    found = translated(rows, counts)
    torch.testing.assert_close(found.norm(dim=1), torch.full((4,), 2.0))
    torch.testing.assert_close(found[0], rows[0], atol=1e-2, rtol=0)
    torch.testing.assert_close(found[1], torch.tensor([2.0, 2.0]) / 2**0.5, atol=1e-2, rtol=0)


def test_a_code_that_never_sounded_is_as_long_as_the_others():
    rows = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    found = translated(rows, torch.zeros(8, 8))
    assert found.norm(dim=1).mean() == pytest.approx(rows.norm(dim=1).mean().item(), rel=1e-3)
