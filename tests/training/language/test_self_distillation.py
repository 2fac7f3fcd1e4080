"""The base answers in words alone, each prompt as it would by itself, whatever was learned meanwhile."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.data.instructions.text_only import Chat
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.torch import TorchLanguage
from makesomenoise.training.language.self_distillation import base_answers
from tests import factories

PROMPTS = ["Name three birds.", "Why?", "What is 3 plus 4?"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.save_base(tmp_path_factory.mktemp("base"), layers=2, spread=0.5)


@pytest.fixture
def model(base: Path) -> LanguageModel:
    return LanguageModel.create(
        LanguageConfig(base=str(base), tokenizer_fingerprint="0" * 16, codebook_size=20), torch.randn(20, 8)
    )


@pytest.fixture
def spelled(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> LanguageModel:
    """The model with numbers of tokens for text, so that all that it says reads as a whole sentence."""
    monkeypatch.setattr(model.vocabulary.text_tokenizer, "decode", lambda tokens, **_: f"{[*tokens]} said.")
    return model


def script(model: LanguageModel, monkeypatch: pytest.MonkeyPatch, texts: list[str]) -> None:
    """Makes the model say these texts, one for each row of a batch, and then end."""
    spell, end, step = model.vocabulary, model.prompts.end_of_turn, iter(range(1000))

    def text_scores(engine: TorchLanguage, hidden: np.ndarray) -> np.ndarray:
        del engine
        at, scores = next(step), np.zeros((len(hidden), spell.first), np.float32)
        scores[:, spell.text_tokenizer.all_special_ids[0]] = 150.0  # begins a text, and has no place in one
        for row, text in enumerate(texts):
            scores[row, [*spell.text(text), *[end] * 100][at]] = 100.0
        return scores

    monkeypatch.setattr(TorchLanguage, "text_scores", text_scores)


def test_answers_end_with_their_turn_or_a_whole_sentence(model: LanguageModel, monkeypatch: pytest.MonkeyPatch):
    said = ["They are: 1. Owls. 2. Cro", "No end", "", "All of it is one sentence", "Is it 3.5 or so? Tha"]
    script(model, monkeypatch, said)
    prompts = [f"Question {number}?" for number in range(5)]
    assert base_answers(model, prompts, most_tokens=20) == [
        Chat("Question 0?", "They are: 1. Owls."),
        Chat("Question 1?", "No end"),
        Chat("Question 4?", "Is it 3.5 or so?"),
    ]


def test_answers_do_not_depend_on_who_is_asked_beside(spelled: LanguageModel, monkeypatch: pytest.MonkeyPatch):
    scored = TorchLanguage.text_scores
    # The likeliest, for certain.
    monkeypatch.setattr(TorchLanguage, "text_scores", lambda engine, hidden: 1e4 * scored(engine, hidden))
    together = base_answers(spelled, PROMPTS, most_tokens=12, batch_size=3)
    assert together == base_answers(spelled, PROMPTS, most_tokens=12, batch_size=1)
    assert len({chat.answer for chat in together}) > 1


def test_the_seed_decides(spelled: LanguageModel):
    first, again, other = (base_answers(spelled, PROMPTS, most_tokens=8, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_what_was_learned_is_set_aside_meanwhile(spelled: LanguageModel):
    before = base_answers(spelled, PROMPTS, most_tokens=8)
    trained = {name for name, value in spelled.named_parameters() if value.requires_grad}
    for name, tensor in spelled.learned().items():
        if "lora_B" in name:
            tensor.copy_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    tokens = torch.arange(10)[None]
    learned = spelled.hidden(tokens)
    assert base_answers(spelled, PROMPTS, most_tokens=8) == before
    assert torch.equal(spelled.hidden(tokens), learned)
    assert {name for name, value in spelled.named_parameters() if value.requires_grad} == trained != set()
    assert base_answers(spelled.fuse(), PROMPTS, most_tokens=8) != before
