"""Rows of codes come to point at the words of what they are heard in."""

import pytest
import torch

from makesomenoise.training.language.embedding_alignment import (
    EmbeddingAlignmentConfig,
    EmbeddingAlignmentError,
    NamedCodes,
    accuracy,
    align,
    label_rows,
)

CONFIG = EmbeddingAlignmentConfig(steps=60, batch_size=16)


def drawn(count: int, seed: int) -> NamedCodes:
    """Clips of three labels, each of which uses eight of 24 codes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    codes = [int(label) * 8 + torch.randint(8, (12,), generator=generator) for label in labels]
    return NamedCodes(tuple(codes), labels)


@pytest.fixture
def rows() -> torch.Tensor:
    return 0.1 * torch.randn(24, 16, generator=torch.Generator().manual_seed(0)) + 0.02


@pytest.fixture
def words() -> torch.Tensor:
    return torch.randn(3, 16, generator=torch.Generator().manual_seed(1))


def test_unseen_clips_point_at_their_labels(rows: torch.Tensor, words: torch.Tensor) -> None:
    moved = align(rows, words, drawn(60, 0), CONFIG, torch.Generator().manual_seed(0))
    assert accuracy(moved, words, drawn(30, 1)) > 0.95


def test_rows_stay_of_the_size_of_words(rows: torch.Tensor, words: torch.Tensor) -> None:
    moved = align(rows, words, drawn(60, 0), CONFIG, torch.Generator().manual_seed(0))
    assert torch.allclose(moved.mean(0), rows.mean(0), atol=1e-5)
    assert torch.allclose((moved - moved.mean(0)).norm(), (rows - rows.mean(0)).norm(), rtol=1e-4)


def test_the_same_seed_gives_the_same_rows(rows: torch.Tensor, words: torch.Tensor) -> None:
    once, again = (align(rows, words, drawn(9, 0), CONFIG, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(once, again)


def test_no_steps_leave_the_rows(rows: torch.Tensor, words: torch.Tensor) -> None:
    still = EmbeddingAlignmentConfig(steps=0)
    assert torch.allclose(align(rows, words, drawn(9, 0), still, torch.Generator()), rows, atol=1e-6)


def test_a_label_is_the_mean_of_its_words() -> None:
    assert label_rows(torch.eye(4), [[0, 1], [2]]).tolist() == [[0.5, 0.5, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    "clips",
    [
        NamedCodes((), torch.tensor([])),
        NamedCodes((torch.tensor([24]),), torch.tensor([0])),
        NamedCodes((torch.tensor([], dtype=torch.long),), torch.tensor([0])),
        NamedCodes((torch.tensor([1]),), torch.tensor([3])),
    ],
)
def test_what_has_no_row_is_refused(clips: NamedCodes, rows: torch.Tensor, words: torch.Tensor) -> None:
    with pytest.raises(EmbeddingAlignmentError):
        align(rows, words, clips, CONFIG, torch.Generator())


def test_a_label_without_words_is_refused() -> None:
    with pytest.raises(EmbeddingAlignmentError, match="no words"):
        label_rows(torch.eye(4), [[]])
