"""The loss is that of the whole vocabulary where words compete, and of codes alone where only codes may come."""

import pytest
import torch
import torch.nn.functional as F

from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.training.language.sft import LossConfig, SFTTask, collate

TEXT = (Turn("user", (Sound((1, 2, 3)), "What?")), Turn("assistant", ("a dog",)))
CHAT = (Turn("user", ("Why?",)), Turn("assistant", ("Because it is.",)))
ALONE = (Turn("text", ("The sea is wide.",)),)
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
    found = SFTTask(model, LossConfig(z_loss=0.0))(**seen)
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(found.means["text"], expected.detach())
    assert int(found.counts["audio"]) == 0


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
    found = SFTTask(model, LossConfig(audio_weight=3.0, z_loss=0.0))(**seen)
    weights = torch.where(within, 3.0, 1.0)
    torch.testing.assert_close(found.loss, (weights * expected).sum() / weights.sum())
    torch.testing.assert_close(found.means["audio"], expected[within].mean().detach())
    assert int(found.counts["audio"]) == 20  # with the token that closes the sound
    assert int(found.counts["text"]) == 2  # the one that opens it and the end of the turn


def test_padding_changes_nothing(model: LanguageModel):
    learn = SFTTask(model, LossConfig())
    alone, beside = learn(**batch(model, TEXT)), learn(**batch(model, TEXT, SOUND))
    both = (alone.means["text"] * alone.counts["text"] + learn(**batch(model, SOUND)).means["text"] * 2) / (
        alone.counts["text"] + 2
    )
    torch.testing.assert_close(beside.means["text"], both, rtol=1e-4, atol=1e-5)


def test_z_loss_counts_the_spread_of_scores(model: LanguageModel):
    seen = batch(model, TEXT)
    everything, _ = scores(model, seen)
    plain, bound = (SFTTask(model, LossConfig(z_loss=z))(**seen).loss for z in (0.0, 0.5))
    torch.testing.assert_close(bound - plain, 0.5 * everything.logsumexp(-1).square().mean(), rtol=1e-4, atol=1e-5)


def foreseen(model: LanguageModel, seen: dict[str, torch.Tensor], words: int) -> torch.Tensor:
    """Log-probabilities of the text tokens among the first `words`, wherever a token follows."""
    scores = model.logits(model.hidden(seen["tokens"], seen["attention_mask"])[:, :-1])[..., :words]
    return scores.log_softmax(-1)[seen["attention_mask"][:, 1:] == 1][:, : model.vocabulary.first].detach()


def test_without_sound_the_model_is_held_to_its_base(model: LanguageModel):
    seen, spell = batch(model, CHAT, ALONE), model.vocabulary
    with model.network.disable_adapter():
        before = foreseen(model, seen, spell.first)
    after = foreseen(model, seen, spell.end + 1)
    expected = (before.exp() * (before - after)).sum(-1)
    found = SFTTask(model, LossConfig(kl_weight=2.0))(**seen)
    assert float(expected.mean()) > 0.01
    torch.testing.assert_close(found.means["kept"], expected.mean(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.loss.detach(), 2.0 * expected.sum() / seen["attention_mask"].sum())
    assert (int(found.counts["kept"]), int(found.counts["text"]), int(found.counts["audio"])) == (len(expected), 0, 0)


def test_an_untrained_model_loses_only_what_it_gives_to_sounds(model: LanguageModel):
    with torch.no_grad():
        for name, tensor in model.learned().items():
            tensor.mul_(0.0 if "lora_B" in name else 1.0)
    seen = batch(model, ALONE)
    left = foreseen(model, seen, model.vocabulary.end + 1).exp().sum(-1)
    found = SFTTask(model, LossConfig())(**seen).means["kept"]
    torch.testing.assert_close(found, -left.log().mean(), rtol=1e-4, atol=1e-6)


def test_what_is_asked_of_sounds_is_the_same_beside_words_alone(model: LanguageModel):
    learn = SFTTask(model, LossConfig(kl_weight=0.0))
    torch.testing.assert_close(
        learn(**batch(model, TEXT, CHAT, ALONE)).loss, learn(**batch(model, TEXT)).loss, rtol=1e-4, atol=1e-5
    )


def test_only_matrices_and_rows_get_gradients(model: LanguageModel):
    SFTTask(model, LossConfig())(**batch(model, TEXT, SOUND)).loss.backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved
    assert all("lora_" in name or "trainable_tokens" in name for name in moved)
    assert model.rows.grad is not None
    with pytest.raises(TypeError):
        SFTTask(model, LossConfig())(tokens=torch.zeros(1, 2))
