"""Batches hold whole conversations of about equal length and depend on their number alone."""

import pytest
import torch

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.examples import Examples, TaskWeights
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import IGNORED, Example
from makesomenoise.training.language.sft import Batches, BatchesError, Stage, collate
from tests import factories


@pytest.fixture
def examples() -> Examples:
    """Named clips of many lengths."""
    clips = [
        CodeClip(
            f"{label}-{n}",
            tuple(k % factories.CODES for k in range(20 * n)),
            n,
            (0.0, float(n)),
            dataset="esc50",
            label=label,
        )
        for label in ("dog", "rain", "siren")
        for n in range(1, 6)
    ]
    return Examples(clips, 20.0, TaskWeights(go_on=0.0))


def made(examples: Examples, model: LanguageModel, tokens: int = 800, most: int = 500) -> Batches:
    return Batches([Stage(examples, 20), Stage(examples, 7)], model.prompts, tokens, most, seed=3)


def test_examples_are_padded_at_the_end():
    seen = collate([Example((5, 6, 7), (IGNORED, 6, 7)), Example((8,), (8,))])
    assert seen["tokens"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert seen["labels"].tolist() == [[IGNORED, 6, 7], [8, IGNORED, IGNORED]]
    assert seen["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_batches_are_of_about_as_many_tokens_and_little_padding(examples: Examples, model: LanguageModel):
    batches = made(examples, model)
    seen = [batches[n] for n in range(16)]
    sizes = torch.tensor([batch["tokens"].numel() for batch in seen])
    assert sizes.min() > 400
    assert sizes.max() < 1300
    real = sum(int(batch["attention_mask"].sum()) for batch in seen)
    assert real / int(sizes.sum()) > 0.9
    assert len({batch["tokens"].shape[1] for batch in seen}) > 4


def test_a_batch_depends_on_its_number_alone(examples: Examples, model: LanguageModel):
    one, other = made(examples, model), made(examples, model)
    forward = [one[n]["tokens"] for n in range(len(one))]
    backward = [other[n]["tokens"] for n in reversed(range(len(other)))][::-1]
    assert len(forward) == 27
    for left, right in zip(forward, backward, strict=True):
        assert torch.equal(left, right)
    assert not any(a.shape == b.shape and torch.equal(a, b) for a, b in zip(forward[:11], forward[16:], strict=False))
    with pytest.raises(IndexError):
        one[27]


def test_few_long_conversations_still_fill_every_batch(examples: Examples, model: LanguageModel):
    batches = made(examples, model, tokens=10)
    assert all(len(batches[n]["tokens"]) >= 1 for n in range(16))


def test_what_is_too_long_is_left_out(examples: Examples, model: LanguageModel, monkeypatch: pytest.MonkeyPatch):
    batches = made(examples, model, most=150)
    assert max(batches[n]["tokens"].shape[1] for n in range(16)) <= 150
    monkeypatch.setattr("makesomenoise.training.language.sft.MOST_DRAWN", 50)
    with pytest.raises(BatchesError, match="at most 3 tokens"):
        made(examples, model, most=3)[0]
