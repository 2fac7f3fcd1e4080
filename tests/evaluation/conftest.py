"""A tiny corpus of tones, noises and clicks, and a random language model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from makesomenoise.audio import io
from makesomenoise.data.manifest import Clip
from makesomenoise.engine.ears import Ear
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language.model import LanguageModel
from tests import factories
from tests.engine.tiny_ears import write_onnx

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
    size = path.stat().st_size
    return Clip(key, path, 0, size, dataset="esc50", fold=fold, kind="sfx", label=label, seconds=1.0)


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
    return factories.save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def language_model(base: Path) -> LanguageModel:
    """A random language model with 16 codes, 24 of them a second."""
    return factories.language_model(base, codes=16, code_rate=24.0).fuse()


@pytest.fixture
def cache(tmp_path: Path) -> ResultCache:
    return ResultCache(tmp_path / "cache", "test")


@pytest.fixture
def canned(tmp_path: Path) -> Callable[[dict[str, list]], ResultCache]:
    """Makes caches that hold results, by the name of the measurement."""

    class Canned(ResultCache):
        def __init__(self, answers: dict[str, list]):
            super().__init__(tmp_path)
            self._answers = answers

        def map(self, measurement: Measurement, *_, **__) -> list:
            return self._answers[measurement.name]

    return Canned
