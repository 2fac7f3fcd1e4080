"""New rows start where text is."""

import pytest
import torch

from makesomenoise.language.initialization import initial_rows


@pytest.mark.parametrize("dim", [8, 80])
def test_new_rows_lie_among_those_of_text(dim):
    generator = torch.Generator().manual_seed(0)
    text = 3.0 + 0.5 * torch.randn(500, 32, generator=generator)
    rows = initial_rows(torch.randn(64, dim, generator=generator), text, generator)
    assert rows.shape == (66, 32)
    torch.testing.assert_close(rows[:64].mean(0), text.mean(0))
    spread, wanted = ((x - x.mean(0)).square().mean().sqrt() for x in (rows[:64], text))
    torch.testing.assert_close(spread, wanted)
    assert 0 < (rows[64:] - text.mean(0)).abs().max() < 0.5


def test_new_rows_keep_what_is_near_what():
    generator = torch.Generator().manual_seed(0)
    codebook = torch.randn(64, 8, generator=generator)
    rows = initial_rows(codebook, torch.randn(100, 32, generator=generator), generator)[:64]
    ratio = torch.cdist(rows, rows) / torch.cdist(codebook, codebook).clamp_min(1e-6)
    off = ~torch.eye(64, dtype=torch.bool)
    torch.testing.assert_close(ratio[off], ratio[0, 1].expand(64 * 63), rtol=1e-3, atol=1e-3)


def test_new_rows_come_from_the_seed():
    text, codebook = torch.randn(50, 16), torch.randn(10, 4)
    one, two, other = (initial_rows(codebook, text, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert one.tolist() == two.tolist() != other.tolist()
