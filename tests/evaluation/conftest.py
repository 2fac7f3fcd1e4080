"""A tiny corpus of tones, noises and clicks, and a random language model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from makesomenoise.audio import io
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.ears import Ear
from makesomenoise.evaluation.parts import Parts
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from tests.evaluation.tiny_ears import write_onnx

RATE = 24_000


def sound(label: str, seed: int) -> Tensor:
    """A second of a tone, of noise or of clicks."""
    generator = torch.Generator().manual_seed(seed)
    if label == "noise":
        return 0.2 * torch.randn(RATE, generator=generator)
    hz = 300.0 + 1200.0 * torch.rand(1, generator=generator)
    wave = torch.sin(2 * torch.pi * hz * torch.arange(RATE) / RATE)
    return 0.4 * wave if label == "tone" else 0.8 * (wave * (torch.arange(RATE) % 4000 < 60))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    train = [
        _clip(folder, label, fold, n) for fold in ("1", "2") for label in ("tone", "noise", "clicks") for n in range(4)
    ]
    valid = [_clip(folder, label, "4", n) for label in ("tone", "noise", "clicks") for n in range(2)]
    return Corpus(train, valid)


def _clip(folder: Path, label: str, fold: str, number: int) -> Clip:
    key = f"{label}-{fold}-{number}"
    path = folder / f"{key}.wav"
    io.save(path, sound(label, 100 * int(fold) + number))
    return Clip(key, path, 0, path.stat().st_size, "esc50", fold, "sfx", label, seconds=1.0)


@pytest.fixture(scope="session")
def ear_source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An ear that hears how loud the quarters of a quarter second are, with its settings."""
    path = write_onnx(tmp_path_factory.mktemp("ears") / "quarters.onnx", 2000, 4)
    return f"{path},sample_rate=8000,window_samples=2000,hop_samples=1000,tensor=1"


@pytest.fixture(scope="session")
def ear(ear_source: str) -> Ear:
    return Ear.open(ear_source)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random text LLM whose tokens are bytes."""
    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    folder = tmp_path_factory.mktemp("base")
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(LlamaConfig(vocab_size=258, tie_word_embeddings=True, **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def language_model(base: Path) -> LanguageModel:
    """A random language model with 16 codes, 24 of them a second."""
    codebook = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))
    config = LanguageConfig(base=str(base), tokenizer_fingerprint="0" * 16, codebook_size=16, code_rate=24.0)
    return LanguageModel.create(config, codebook).fuse()


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path / "parts", "test")


@pytest.fixture
def canned(tmp_path: Path) -> Callable[[dict[str, list]], Parts]:
    """Makes parts in which answers were found before, by the name of the question."""

    class Canned(Parts):
        def __init__(self, answers: dict[str, list]):
            super().__init__(tmp_path, "canned")
            self._answers = answers

        def each(self, name: str, *_, **__) -> list:
            return self._answers[name]

    return Canned
