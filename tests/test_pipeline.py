"""Sound and text through one model: what fits is answered, what does not gets one sentence."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.model import LanguageModel
from makesomenoise.pipeline import AudioLanguageModel, PipelineError
from makesomenoise.tokenizer.model import AudioTokenizer

SIZES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def tokenizer() -> AudioTokenizer:
    return AudioTokenizer.load()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    folder = tmp_path_factory.mktemp("base")
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(LlamaConfig(vocab_size=258, tie_word_embeddings=True, **SIZES)).save_pretrained(folder)
    return folder


def language(base: Path, codes: str) -> LanguageModel:
    return LanguageModel.create(LanguageConfig(base=str(base), codes=codes), torch.randn(1024, 8))


@pytest.fixture(scope="module")
def model(base: Path, tokenizer: AudioTokenizer) -> AudioLanguageModel:
    return AudioLanguageModel(tokenizer, language(base, tokenizer.fingerprint))


def test_sounds_are_described_and_ranked(model, tone):
    sounds = torch.stack([tone(1.0), tone(1.0, 880.0)])
    assert len(model.answer(sounds, "Is it <|a5|> or <|/audio|>?", most_tokens=4)) == 2
    for ranked in model.classify(sounds, ["dog", "rain", "siren"]):
        assert {one.label for one in ranked} == {"dog", "rain", "siren"}
        assert sum(one.probability for one in ranked) == pytest.approx(1.0)
        assert ranked[0].probability >= ranked[-1].probability


def test_made_sounds_have_the_length_that_was_asked_for(model):
    first, again = (model.generate("a dog barks", 0.7, seed=3, candidates=2) for _ in range(2))
    assert first.shape == (2, 16_800)
    assert torch.equal(first, again)


def test_what_cannot_be_done_is_one_sentence(model, tone, base):
    for text, seconds in (("", 1.0), ("dog", 0.0), ("dog", float("nan"))):
        with pytest.raises(PipelineError):
            model.generate(text, seconds)
    with pytest.raises(LanguageError, match="the context has 2048"):
        model.generate("dog", 10_000)
    with pytest.raises(PipelineError, match="none twice"):
        model.classify(tone(1.0)[None], ["dog", "Dog"])
    with pytest.raises(PipelineError, match="the codes of the tokenizer 0000000000000000"):
        AudioLanguageModel(model.tokenizer, language(base, "0" * 16))
    with pytest.raises(PipelineError, match="No trained language model ships yet"):
        AudioLanguageModel.load()
