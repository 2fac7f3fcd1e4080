"""A tiny model with random weights, a server around it on 127.0.0.1, and the official client."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")
openai = pytest.importorskip("openai", reason="needs the development group")

from makesomenoise.pipeline import AudioLanguageModel  # noqa: E402 - what is above may skip all of this
from makesomenoise.serving.app import create_app  # noqa: E402
from makesomenoise.serving.settings import Settings  # noqa: E402
from makesomenoise.serving.worker import Worker  # noqa: E402
from makesomenoise.tokenizer.model import AudioTokenizer  # noqa: E402
from tests import factories  # noqa: E402


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `tokenizer` and `vocoder` of a model."""
    folder = tmp_path_factory.mktemp("codec")
    factories.save_tokenizer(folder / "tokenizer")
    factories.save_vocoder(folder / "vocoder")
    return folder


@pytest.fixture(scope="session")
def model(codec: Path, tmp_path_factory: pytest.TempPathFactory) -> AudioLanguageModel:
    tokenizer = AudioTokenizer.load(codec / "tokenizer", codec / "vocoder")
    base = factories.save_base(tmp_path_factory.mktemp("base"))
    language = factories.language_model(base, tokenizer.fingerprint, context_tokens=1024)
    return AudioLanguageModel(tokenizer, language)


@dataclass(frozen=True)
class Folders:
    """Where the tiny model lies."""

    language: str
    tokenizer: str
    vocoder: str


@pytest.fixture(scope="session")
def folders(model: AudioLanguageModel, codec: Path, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folder = tmp_path_factory.mktemp("models")
    model.language.save(folder / "language")
    return Folders(str(folder / "language"), str(codec / "tokenizer"), str(codec / "vocoder"))


class Running:
    """A server in a thread of its own.

    Attributes:
        url: where it is.
        worker: its worker.
    """

    def __init__(self, worker: Worker, settings: Settings):
        import uvicorn

        from makesomenoise.serving.server import Server

        self.worker = worker
        config = uvicorn.Config(create_app(worker, settings), port=0, log_config=None, access_log=False)
        self._server = Server(config, worker)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        worker.start()

    def ready(self) -> "Running":
        while self.worker.state == "loading":
            time.sleep(0.01)
        assert self.worker.state == "ready", self.worker.error
        return self

    def client(self, **settings) -> "openai.OpenAI":
        usual = {"api_key": "none", "max_retries": 0, "timeout": 60}
        return openai.OpenAI(base_url=f"{self.url}/v1", **usual | settings)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(2)
        self._server.force_exit = True
        self._thread.join(8)
        self.worker.stop(5)


@pytest.fixture(scope="session")
def server(model: AudioLanguageModel) -> Iterator[Running]:
    running = Running(Worker(lambda: model), Settings(max_seconds=60.0, max_body=4 << 20)).ready()
    yield running
    running.stop()


@pytest.fixture
def client(server: Running) -> "openai.OpenAI":
    return server.client()


@pytest.fixture
def running() -> Iterator:
    """A function that starts a server, which is stopped after the test."""
    yield from _starting()


@pytest.fixture(scope="module")
def start_server() -> Iterator:
    """The same for all tests of a file."""
    yield from _starting()


def _starting() -> Iterator:
    started: list[Running] = []

    def start(worker: Worker, settings: Settings = Settings()) -> Running:  # noqa: B008 - it is frozen
        started.append(Running(worker, settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()
