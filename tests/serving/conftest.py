"""A tiny model with random weights, a server around it on 127.0.0.1, and the official client."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

pytest.importorskip("fastapi", reason="needs the extra `serve`")
openai = pytest.importorskip("openai", reason="needs the development group")

from tokenizers import Tokenizer, decoders, pre_tokenizers  # noqa: E402 - what is above may skip all of this
from tokenizers.models import BPE  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402

from makesomenoise import checkpoint  # noqa: E402
from makesomenoise.language.config import LanguageConfig  # noqa: E402
from makesomenoise.language.model import LanguageModel  # noqa: E402
from makesomenoise.pipeline import AudioLanguageModel  # noqa: E402
from makesomenoise.serving.app import create_app  # noqa: E402
from makesomenoise.serving.settings import Settings  # noqa: E402
from makesomenoise.serving.worker import Worker  # noqa: E402
from makesomenoise.tokenizer.config import TokenizerConfig  # noqa: E402
from makesomenoise.tokenizer.model import AudioTokenizer  # noqa: E402
from makesomenoise.tokenizer.network import TokenizerNetwork  # noqa: E402
from makesomenoise.vocoder.config import IstftVocoderConfig  # noqa: E402
from makesomenoise.vocoder.vocos import IstftVocoder  # noqa: E402

SCENE = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
SIZES = {"frame_dim": 8, "frame_layers": 1, "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 8, "dim": 16, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
TINY = {
    "encoder": {"semantic_branch": SCENE, **SIZES, "latent_dim": 8},
    "window": {"codes": 12, "context": 4, "seam_frames": 8},
    "decoder": {"kind": "flow", "network": DECODER, "steps": 1},
}
BASE = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def base(folder: Path) -> Path:
    """A random LLM that spells in bytes."""
    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    LlamaForCausalLM(LlamaConfig(vocab_size=258, tie_word_embeddings=True, **BASE)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `tokenizer` and `vocoder` of a model."""
    folder = tmp_path_factory.mktemp("codec")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenizerNetwork(TokenizerConfig.from_dict(TINY))
        torch.nn.init.normal_(network.decoder.network.mel_out.weight)
        checkpoint.save_model(folder / "tokenizer", network.config, network.state_dict())
        IstftVocoder(IstftVocoderConfig(dim=8, hidden=16, layers=1)).save(folder / "vocoder")
    return folder


@pytest.fixture(scope="session")
def model(codec: Path, tmp_path_factory: pytest.TempPathFactory) -> AudioLanguageModel:
    tokenizer = AudioTokenizer.load(codec / "tokenizer", codec / "vocoder")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        folder = base(tmp_path_factory.mktemp("base"))
    config = LanguageConfig(base=str(folder), tokenizer_fingerprint=tokenizer.fingerprint, context_tokens=1024)
    codebook = torch.randn(1024, 8, generator=torch.Generator().manual_seed(0))
    return AudioLanguageModel(tokenizer, LanguageModel.create(config, codebook))


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
