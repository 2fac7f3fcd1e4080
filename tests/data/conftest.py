"""Sounds that are told apart, and clips encoded in name only."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.audio import io
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.data.manifest import read_clips
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork

RATE = 24_000


SIZES = {"frame_dim": 8, "frame_layers": 1, "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 8, "dim": 16, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
TINY = {
    "encoder": {
        "semantic_branch": {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2},
        **SIZES,
        "latent_dim": 8,
    },
    "window": {"codes": 12, "context": 4, "seam_frames": 8},
    "decoder": {"kind": "flow", "network": DECODER, "steps": 1},
}


@pytest.fixture(scope="session")
def tiny_tokenizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of two small tokenizers with random weights."""
    folder, config = tmp_path_factory.mktemp("tokenizers"), TokenizerConfig.from_dict(TINY)
    with torch.random.fork_rng():
        for number, name in enumerate(("one", "two")):
            torch.manual_seed(number)
            network = TokenizerNetwork(config)
            torch.nn.init.normal_(network.decoder.network.mel_out.weight)  # else codes do not matter yet
            checkpoint.save_model(folder / name, config, network.state_dict())
    return folder / "one", folder / "two"


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
def scene() -> CodeClip:
    """A dog barks twice, then rain falls, louder."""
    events = (Event("dog", 0.2, 0.6, -30.0), Event("dog", 1.0, 1.4, -30.0), Event("rain", 2.2, 4.0, -20.0))
    return CodeClip("scenes-0-0", tuple(range(100)), 4.2, (0.2, 4.0), "scenes", kind="scene", events=events)


@pytest.fixture
def mixed_scene() -> CodeClip:
    """Rain falls while a dog barks once."""
    events = (Event("rain", 0.0, 4.0, -35.0), Event("dog", 2.6, 2.9, -20.0))
    return CodeClip("scenes-0-1", tuple(range(98)), 4.2, (0.0, 4.0), "scenes", kind="scene", events=events)


@pytest.fixture
def plain_clips() -> list[CodeClip]:
    """Clips of two collections that were labelled by hand, and of one that was not."""
    rng = np.random.default_rng(0)

    def clip(number: int, dataset: str, label: str, title: str = "") -> CodeClip:
        codes = tuple(rng.integers(0, 1000, 118).tolist())
        return CodeClip(f"{dataset}-{number}", codes, 5.0, (0.5, 4.5), dataset, label=label, title=title)

    exact = [clip(n, "esc50", label) for n, label in enumerate(("dog", "rain", "door wood knock", "sheep", "siren"))]
    others = [clip(n, "debian", label) for n, label in enumerate(("sheep", "swordman attack", "cello single note F4"))]
    return [*exact, *others, clip(0, "urbansound8k", "dog bark"), clip(1, "urbansound8k", "siren")]
