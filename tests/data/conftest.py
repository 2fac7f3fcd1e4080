"""Sounds that are told apart."""

from pathlib import Path

import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import read_clips
from tests import factories

RATE = 24_000
# Kills a process between writing a shard and giving it its name, once.
HOOK = """
import os, signal, sys
def watch(event, args):
    if event == "os.rename" and str(args[1]).endswith(".parquet"):
        try:
            os.close(os.open(os.environ["DIE_ONCE"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""


@pytest.fixture(scope="session")
def tiny_tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two small tokenizers with random weights."""
    folder = tmp_path_factory.mktemp("tokenizers")
    one, two = (factories.save_tokenizer(folder / name, seed) for seed, name in enumerate(("one", "two")))
    return one, two


def click(seconds: float, length: float = 0.2, at: float = 0.5) -> torch.Tensor:
    """One decaying burst of noise in silence [S]."""
    waveform = torch.zeros(round(seconds * RATE))
    first, size = round(at * RATE), round(length * RATE)
    noise = torch.randn(size, generator=torch.Generator().manual_seed(size))
    waveform[first : first + size] = 0.2 * noise * torch.exp(-torch.linspace(0, 4, size))
    return waveform


@pytest.fixture
def sounds(tmp_path: Path, tone) -> Path:
    """A folder of short bursts and of lasting tones, by label."""
    for label, length in (("dog", 0.2), ("gun_shot", 0.1), ("cat", 0.3)):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        io.save(tmp_path / "sounds" / label / f"{label}.flac", click(2.0, length))
    for label, hz in (("rain", 300.0), ("siren", 900.0), ("engine", 100.0), ("speech", 500.0)):
        (tmp_path / "sounds" / label).mkdir()
        io.save(tmp_path / "sounds" / label / f"{label}.flac", 0.3 * tone(6.0, hz))
    return tmp_path / "sounds"


@pytest.fixture
def named_store(sounds: Path) -> ClipStore:
    return ClipStore(read_clips([sounds]), RATE)


@pytest.fixture
def dying(tmp_path: Path) -> dict[str, str]:
    """An environment in which the first process that names a shard is killed."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(tmp_path / "hook"), "DIE_ONCE": str(tmp_path / "died")}
