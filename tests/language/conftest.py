"""A text LLM small enough for tests: random, as a folder of transformers or a GGUF file, with a tokenizer of bytes."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from makesomenoise import checkpoint
from makesomenoise.language import adapter, cache
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from tests import factories
from tests.language import tiny_gguf


@pytest.fixture
def text_tokenizer() -> PreTrainedTokenizerFast:
    return factories.merging_tokenizer()


@pytest.fixture(params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest, bases: dict[str, Path], codebook: torch.Tensor) -> LanguageModel:
    return factories.untrained(bases[request.param], codebook)


@pytest.fixture(scope="session")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wheel") / "tiny.gguf"
    tiny_gguf.write(path, tiny_gguf.network())
    return path


@pytest.fixture(scope="session")
def gguf_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder on that file, with matrices that matter."""
    config = LanguageConfig(tokenizer_fingerprint="0" * 16, codebook_size=factories.CODES)
    generator, state = torch.Generator().manual_seed(1), {}
    made = tiny_gguf.network()
    made.resize_token_embeddings(len(tiny_gguf.WORDS) + factories.CODES + 2, mean_resizing=False)
    for name, shape in adapter._expected(made, config.lora, factories.CODES + 2).items():
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
