"""A tiny corpus of tones, noises and clicks, and a tiny tokenizer and vocoder in folders."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from makesomenoise.audio import io
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.corpus import Corpus

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
