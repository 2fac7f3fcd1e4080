"""The loss is that of the whole vocabulary where words compete, and of codes alone where only codes may come."""

import pytest
import torch
import torch.nn.functional as F

from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.training.answers import Answers, AnswersConfig
from makesomenoise.training.batches import collate
from tests.language.conftest import bases, codebook, model

__all__ = ["bases", "codebook", "model"]  # fixtures

TEXT = (Turn("user", (Sound((1, 2, 3)), "What?")), Turn("assistant", ("a dog",)))
SOUND = (Turn("user", ("Make it.",)), Turn("assistant", (Sound(tuple(range(19))),)))


def batch(model: LanguageModel, *conversations: tuple[Turn, ...]) -> dict[str, torch.Tensor]:
    return collate([model.prompts.example(turns) for turns in conversations])


def scores(model: LanguageModel, seen: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of all words where loss is asked, and what was to come."""
    asked = seen["labels"][:, 1:] >= 0
    hidden = model.hidden(seen["tokens"], seen["attention_mask"])[:, :-1][asked]
    return model.logits(hidden)[:, : model.vocabulary.end + 1], seen["labels"][:, 1:][asked]


def test_text_is_judged_among_all_words(model: LanguageModel):
    seen = batch(model, TEXT)
    expected = F.cross_entropy(*scores(model, seen))
    found = Answers(model, AnswersConfig(z_loss=0.0))(**seen)
    torch.testing.assert_close(found["loss"], expected)
    torch.testing.assert_close(found["text"], expected.detach())
    assert int(found["audios"]) == 0


def test_most_codes_are_judged_among_codes(model: LanguageModel):
    seen = batch(model, SOUND)
    everything, targets = scores(model, seen)
    first = model.vocabulary.first
    within = (targets >= first) & (targets != model.vocabulary.start)
    surprises = [
        F.cross_entropy(
            row if number % 8 == 0 or not inner else row[first:], target - first * int(number % 8 and inner)
        )
        for number, (row, target, inner) in enumerate(zip(everything, targets, within, strict=True))
    ]
    expected = torch.stack(surprises)
    found = Answers(model, AnswersConfig(audio_weight=3.0, z_loss=0.0))(**seen)
    weights = torch.where(within, 3.0, 1.0)
    torch.testing.assert_close(found["loss"], (weights * expected).sum() / weights.sum())
    torch.testing.assert_close(found["audio"], expected[within].mean().detach())
    assert int(found["audios"]) == 20  # with the token that closes the sound
    assert int(found["texts"]) == 2  # the one that opens it and the end of the turn


def test_padding_changes_nothing(model: LanguageModel):
    learn = Answers(model, AnswersConfig())
    alone, beside = learn(**batch(model, TEXT)), learn(**batch(model, TEXT, SOUND))
    both = (alone["text"] * alone["texts"] + learn(**batch(model, SOUND))["text"] * 2) / (alone["texts"] + 2)
    torch.testing.assert_close(beside["text"], both, rtol=1e-4, atol=1e-5)


def test_z_loss_counts_the_spread_of_scores(model: LanguageModel):
    seen = batch(model, TEXT)
    everything, _ = scores(model, seen)
    plain, bound = (Answers(model, AnswersConfig(z_loss=z))(**seen)["loss"] for z in (0.0, 0.5))
    torch.testing.assert_close(bound - plain, 0.5 * everything.logsumexp(-1).square().mean(), rtol=1e-4, atol=1e-5)


def test_only_matrices_and_rows_get_gradients(model: LanguageModel):
    Answers(model, AnswersConfig())(**batch(model, TEXT, SOUND))["loss"].backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved
    assert all("lora_" in name or "trainable_tokens" in name for name in moved)
    assert model.rows.grad is not None
    with pytest.raises(TypeError):
        Answers(model, AnswersConfig())(tokens=torch.zeros(1, 2))
