"""The text is foreseen as its likelihood says, and a model that learned nothing has kept all."""

import math
from importlib import resources

import pytest
import torch

from makesomenoise.evaluation.language.forgetting import measure_forgetting, perplexity


def test_perplexity_is_that_of_the_scores(language_model):
    tokens = language_model.vocabulary.text("a dog barks")
    with torch.inference_mode():
        scores = language_model.logits(language_model.hidden(torch.tensor([tokens])))[0].log_softmax(-1)
    losses = [-float(scores[place, token]) for place, token in enumerate(tokens[1:])]
    assert perplexity(language_model, tokens) == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
    assert perplexity(language_model, tokens, 256) < perplexity(language_model, tokens)  # among fewer tokens


def test_pieces_know_nothing_of_each_other(language_model):
    tokens = language_model.vocabulary.text("rain rain ")
    halves = [perplexity(language_model, tokens[at : at + 5]) for at in (0, 5)]
    assert perplexity(language_model, tokens, piece=5) == pytest.approx(math.sqrt(halves[0] * halves[1]), rel=1e-4)


def test_an_untrained_model_has_kept_its_language(language_model):
    found = measure_forgetting(language_model, ["What is rain?"])
    assert found.words == len(_text().split()) > 1400
    assert found.tokens == len(_text().encode())  # the tokens are bytes
    # Its rows for codes may come too, which takes a little.
    assert found.perplexity_base < found.perplexity_model < 1.2 * found.perplexity_base
    assert found.perplexity_model_text_only == pytest.approx(found.perplexity_base, rel=1e-4)
    assert [one.question for one in found.chat] == ["What is rain?"]
    assert found.chat[0].base == found.chat[0].model


def _text() -> str:
    return resources.files("makesomenoise.evaluation.language").joinpath("forgetting.txt").read_text(encoding="utf-8")
