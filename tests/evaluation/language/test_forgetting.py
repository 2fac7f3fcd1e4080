"""The text is foreseen as its likelihood says, and a model that learned nothing has kept all."""

import math
from importlib import resources

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.evaluation.language.forgetting import measure_forgetting, perplexity
from makesomenoise.language import adapter, cache
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.speaker import load_speaker
from tests.language import tiny_gguf


def test_perplexity_is_that_of_the_scores(language_model):
    tokens = language_model.vocabulary.text("a dog barks")
    with torch.inference_mode():
        scores = language_model.logits(language_model.hidden(torch.tensor([tokens])))[0].log_softmax(-1)
    losses = [-float(scores[place, token]) for place, token in enumerate(tokens[1:])]
    assert perplexity(language_model, tokens) == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-4)
    assert perplexity(language_model, tokens, text_only=True) < perplexity(language_model, tokens)  # among fewer tokens


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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model on the base that needs no torch."""
    tiny_gguf.write(tmp_path / "tiny.gguf", tiny_gguf.network())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "gguf_file", lambda: tmp_path / "tiny.gguf")
    config = LanguageConfig(tokenizer_fingerprint="0" * 16, codebook_size=20)
    network, generator = tiny_gguf.network(), torch.Generator().manual_seed(1)
    network.resize_token_embeddings(len(tiny_gguf.WORDS) + 22, mean_resizing=False)
    shapes = adapter._expected(network, config.lora, 22).items()
    state = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes}
    checkpoint.save_model(tmp_path / "model", config, state)
    return tmp_path / "model"


def test_without_torch_it_foresees_alike(folder):
    stored, network, text = checkpoint.load_model(folder, LanguageConfig), tiny_gguf.network(), len(tiny_gguf.WORDS)
    network.resize_token_embeddings(text + 22, mean_resizing=False)
    adapter.add(network, stored.config.lora, stored.tensors(), text)
    ours = load_speaker(folder, engine="onnx")
    tokens = torch.tensor(ours.vocabulary.text("rain in the audio " * 3))
    with torch.inference_mode():
        for text_only, among in ((False, text + 22), (True, text)):
            scores = network(tokens[None]).logits[0, :-1, :among]
            expected = float(torch.nn.functional.cross_entropy(scores, tokens[1:]).exp())
            # Weights and products are rounded to 8 bits.
            assert perplexity(ours, tokens.tolist(), text_only) == pytest.approx(expected, rel=0.05)


def _text() -> str:
    return resources.files("makesomenoise.evaluation.language").joinpath("forgetting.txt").read_text(encoding="utf-8")
