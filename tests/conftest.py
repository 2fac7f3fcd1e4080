"""What every test gets: no network, one thread, sounds made from formulas, and clips encoded in name only."""

import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tests import factories

if TYPE_CHECKING:
    from makesomenoise.data.codes import CodeClip

LOCAL = ("127.0.0.1", "::1", "localhost")
Tone = Callable[..., Tensor]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first, so that at the end no process waits for another's slow one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every connection beyond this machine fail at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise OSError(f"a test tried to connect to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tone() -> Tone:
    """A function that makes a sine wave [S]."""

    def make(seconds: float = 1.0, hz: float = 440.0, sample_rate: int = 24_000) -> Tensor:
        time = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
        return (0.5 * torch.sin(2.0 * math.pi * hz * time)).float()

    return make


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two text LLMs with random weights, `llama` and `qwen2`."""
    return factories.save_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="session")
def codebook() -> Tensor:
    """Of the language models over them."""
    return factories.codebook()


@pytest.fixture
def scene() -> "CodeClip":
    return factories.two_sounds()


@pytest.fixture
def mixed_scene() -> "CodeClip":
    return factories.sound_under_sound()


@pytest.fixture
def plain_clips() -> "list[CodeClip]":
    return factories.plain_clips()
