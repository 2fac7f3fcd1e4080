"""A text LLM small enough for tests: random, as a folder of transformers or a GGUF file, with a tokenizer of bytes."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AddedToken,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from makesomenoise import checkpoint
from makesomenoise.language import adapter, cache
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from tests.language import tiny_gguf

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SIZES = {
    "vocab_size": 280,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
CODES = 20


def bytes_tokenizer() -> PreTrainedTokenizerFast:
    """256 bytes, a few merges, the specials of ChatML, and an added token that is not special."""
    vocabulary = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("a", "u"), ("d", "i"), ("au", "di"), ("audi", "o"), ("i", "n")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    text_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    text_tokenizer.add_tokens([AddedToken("<tool_call>", special=False)])
    text_tokenizer.chat_template = CHATML
    return text_tokenizer


@pytest.fixture
def text_tokenizer() -> PreTrainedTokenizerFast:
    return bytes_tokenizer()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two bases: `llama` ties its rows and has no room for new ones, `qwen2` does neither."""
    folders = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = {
            "llama": LlamaForCausalLM(LlamaConfig(**(SIZES | {"vocab_size": 264}), tie_word_embeddings=True)),
            "qwen2": Qwen2ForCausalLM(Qwen2Config(**(SIZES | {"vocab_size": 320}), tie_word_embeddings=False)),
        }
    for name, network in networks.items():
        folders[name] = tmp_path_factory.mktemp(name)
        network.save_pretrained(folders[name])
        bytes_tokenizer().save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="session")
def codebook() -> torch.Tensor:
    return torch.randn(CODES, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest, bases: dict[str, Path], codebook: torch.Tensor) -> LanguageModel:
    return untrained(bases[request.param], codebook)


def untrained(base: Path, codebook: torch.Tensor) -> LanguageModel:
    """A model whose matrices are not zero, so that they matter."""
    config = LanguageConfig(base=str(base), tokenizer_fingerprint="0" * 16, codebook_size=CODES)
    made = LanguageModel.create(config, codebook)
    generator = torch.Generator().manual_seed(2)
    for name, tensor in made.learned().items():
        if "lora_B" in name:
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return made


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wheel") / "tiny.gguf"
    tiny_gguf.write(path, tiny_gguf.network())
    return path


@pytest.fixture(scope="session")
def gguf_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder on that file, with matrices that matter."""
    config = LanguageConfig(tokenizer_fingerprint="0" * 16, codebook_size=CODES)
    generator, state = torch.Generator().manual_seed(1), {}
    made = tiny_gguf.network()
    made.resize_token_embeddings(len(tiny_gguf.WORDS) + CODES + 2, mean_resizing=False)
    for name, shape in adapter._expected(made, config.lora, CODES + 2).items():
        state[name] = 0.1 * torch.randn(shape, generator=generator)
    path = tmp_path_factory.mktemp("model")
    checkpoint.save_model(path, config, state)
    return path


@pytest.fixture
def onnx_cache(gguf_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where what is converted from that file is kept, which is the default base."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "gguf_file", lambda: gguf_file)
    return tmp_path / "makesomenoise"
