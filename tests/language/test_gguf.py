"""A GGUF file is read as the package `gguf` writes it; its text tokenizer is what transformers makes of it."""

import random
from pathlib import Path

import gguf
import numpy as np
import pytest
from transformers import AutoTokenizer

from makesomenoise.language.config import LanguageError
from makesomenoise.language.gguf import GgufFile
from makesomenoise.language.prompts import Prompts, Sound, Turn
from makesomenoise.language.text_tokenizer import TextTokenizer
from makesomenoise.language.vocabulary import AudioVocabulary
from tests.language import tiny_gguf

ALPHABETS = [
    "audio in rain ",
    "  \t\n .,!?'",
    "0123456789",
    "äöß犬が吠える",
    "🐕‍🦺🔔",
    "<|im_end|>",
    "<|a5|><|audio|>",
    "\u200b\x00\xa0",
]
TURNS = [Turn("system", ("Listen.",)), Turn("user", (Sound((1, 2)), " What? ")), Turn("assistant", ("rain",))]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("wheel") / "tiny.gguf"
    tiny_gguf.write(made, tiny_gguf.network())
    return made


def test_numbers_and_texts_are_those_that_were_written(path):
    file = GgufFile(path)
    table = tiny_gguf.network().get_input_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(file.tensor("token_embd.weight"), table)
    assert file.fields["tokenizer.ggml.tokens"] == tiny_gguf.WORDS
    assert file.fields["llama.rope.freq_base"] == 100_000.0
    with pytest.raises(LanguageError, match="no tensor 'x'"):
        file.tensor("x")


@pytest.mark.parametrize("kind", [gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0])
def test_blocks_are_widened_as_their_format_says(kind, tmp_path):
    matrix = np.random.default_rng(0).normal(size=(6, 64)).astype(np.float32)
    blocks = gguf.quants.quantize(matrix, kind)
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tensor("x", blocks, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = GgufFile(tmp_path / "x.gguf").tensor("x")
    np.testing.assert_allclose(found, gguf.quants.dequantize(blocks, kind), rtol=1e-6, atol=1e-6)


def test_a_file_that_is_no_gguf_is_one_sentence(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"RIFF and so on")
    with pytest.raises(LanguageError, match=r"Cannot read the language model .*it is no GGUF file"):
        GgufFile(tmp_path / "x.gguf")


def test_tokens_and_prompts_are_those_of_transformers(path, tmp_path):
    TextTokenizer.from_gguf(GgufFile(path)).save(tmp_path / "tokenizer.json")
    ours = AudioVocabulary.extend(TextTokenizer.load(tmp_path / "tokenizer.json"), 20)
    theirs = AudioVocabulary.extend(AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name), 20)
    rng = random.Random(0)
    for _ in range(1000):
        text = "".join(rng.choice([rng.choice(letters), letters]) for letters in rng.choices(ALPHABETS, k=8))
        assert ours.text(text) == theirs.text(text)
        assert ours.template(text) == theirs.template(text)
        decoded = [one.text_tokenizer.decode(ours.text(text), skip_special_tokens=True) for one in (ours, theirs)]
        assert decoded[0] == decoded[1]
    assert set(ours.text_tokenizer.all_special_ids) == set(theirs.text_tokenizer.all_special_ids)
    assert Prompts(ours, 1.0).prompt(TURNS[:2]) == Prompts(theirs, 1.0).prompt(TURNS[:2])
    assert Prompts(ours).example(TURNS) == Prompts(theirs).example(TURNS)


def test_a_text_tokenizer_that_is_damaged_is_one_sentence(tmp_path):
    with pytest.raises(LanguageError, match="Cannot read the text tokenizer"):
        TextTokenizer.load(tmp_path / "tokenizer.json")
