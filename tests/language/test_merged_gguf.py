"""What is merged into a GGUF file is the base and what was learned, in 8 bits, with the words of sound behind it."""

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.language import adapter, merged_gguf
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.merged_gguf import merge_gguf
from tests.language import tiny_gguf

CODES, TEXT = 20, len(tiny_gguf.WORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model folder with matrices that matter."""
    config = LanguageConfig(tokenizer_fingerprint="0" * 16, codebook_size=CODES, time_markers=True)
    made, generator = _resized(), torch.Generator().manual_seed(1)
    shapes = adapter._expected(made, config.lora, CODES + 2).items()
    state = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes}
    path = tmp_path_factory.mktemp("model")
    checkpoint.save_model(path, config, state)
    return path


@pytest.fixture(autouse=True)
def base(monkeypatch, tmp_path) -> Path:
    path = tmp_path / "tiny.gguf"
    tiny_gguf.write(path, tiny_gguf.network())
    monkeypatch.setattr(merged_gguf, "gguf_file", lambda: path)
    return path


@pytest.fixture
def merged(folder, tmp_path) -> gguf.GGUFReader:
    merge_gguf(folder, tmp_path / "merged.gguf")
    return gguf.GGUFReader(tmp_path / "merged.gguf")


def _resized():
    made = tiny_gguf.network()
    made.resize_token_embeddings(TEXT + CODES + 2, mean_resizing=False)
    return made


def value(reader: gguf.GGUFReader, name: str):
    return reader.fields[name].contents()


def test_weights_are_the_merged_ones_within_eight_bits(merged, folder):
    stored = checkpoint.load_model(folder, LanguageConfig)
    network = _resized()
    with torch.no_grad():  # the base's own rows, which resizing keeps, and zeros where the new ones come
        network.get_input_embeddings().weight[TEXT:] = 0.0
    adapter.add(network, stored.config.lora, stored.tensors(), TEXT)
    expected = {f"{name}.weight": array for name, array in tiny_gguf._tensors(network).items()}
    found = {tensor.name: tensor for tensor in merged.tensors}
    assert set(found) == set(expected)
    for name, array in expected.items():
        tensor = found[name]
        assert tensor.tensor_type == (gguf.GGMLQuantizationType.Q8_0 if array.ndim > 1 else 0)
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(array.shape)
        blocks, steps = (whole.reshape(-1, 32) for whole in (array, numbers - array))
        # Half a step of the largest number's 127th, and what the scale loses in 16 bits.
        most = np.abs(blocks).max(1, keepdims=True) * (0.5 / 127 + 2**-10)
        assert (np.abs(steps) <= most).all(), name


def test_words_of_sound_come_last_and_are_text_that_is_said(merged):
    words, kinds = value(merged, "tokenizer.ggml.tokens"), value(merged, "tokenizer.ggml.token_type")
    assert words[:TEXT] == tiny_gguf.WORDS
    assert words[TEXT:] == [*(f"<|a{code}|>" for code in range(CODES)), "<|audio|>", "<|/audio|>"]
    assert kinds[TEXT:] == [gguf.TokenType.USER_DEFINED] * (CODES + 2)
    assert [word for word, kind in zip(words, kinds, strict=True) if kind == gguf.TokenType.CONTROL] == (
        tiny_gguf.SPECIALS
    )


def test_a_prompt_gets_the_tokens_that_the_model_was_trained_on(merged):
    assert value(merged, "tokenizer.ggml.add_bos_token") is False
    assert value(merged, "tokenizer.ggml.pre") == "gpt-2"
    assert value(merged, "tokenizer.chat_template") == tiny_gguf.CHATML
    merges = [" ".join(pair) for pair in tiny_gguf.MERGES]
    assert value(merged, "tokenizer.ggml.merges") == merges
    assert value(merged, "llama.vocab_size") == TEXT + CODES + 2
    assert value(merged, "llama.rope.freq_base") == 100_000.0


def test_it_says_what_it_was_made_from(merged, folder):
    assert value(merged, "makesomenoise.fingerprint") == checkpoint.load_model(folder, LanguageConfig).fingerprint
    assert value(merged, "makesomenoise.tokenizer_fingerprint") == "0" * 16
    assert value(merged, "makesomenoise.time_markers") is True
    assert "general.license" not in merged.fields


def test_a_base_that_is_no_llama_is_one_sentence(folder, base, tmp_path):
    writer = gguf.GGUFWriter(base, "qwen2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(LanguageError, match=r"architecture 'qwen2', and only 'llama'"):
        merge_gguf(folder, tmp_path / "merged.gguf")
    assert not (tmp_path / "merged.gguf").exists()


def test_weights_of_another_base_leave_nothing_behind(folder, tmp_path):
    stored = checkpoint.load_model(folder, LanguageConfig)
    state = {name: array for name, array in stored.state.items() if "layers.1.mlp.up_proj.lora_A" not in name}
    checkpoint.save_model(tmp_path / "other", stored.config, state)
    with pytest.raises(LanguageError, match=r"up_proj' differs\)"):
        merge_gguf(tmp_path / "other", tmp_path / "merged.gguf")
    assert not [path for path in tmp_path.iterdir() if "merged" in path.name]
