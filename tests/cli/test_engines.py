"""What an engine cannot be made of is one sentence and exit code 2, and nothing half written is left behind."""

import errno
from pathlib import Path

import pytest
import torch

from makesomenoise import checkpoint, files
from makesomenoise.audio import io
from makesomenoise.engine import base
from makesomenoise.language import adapter, cache, quantized
from makesomenoise.language.config import LanguageConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from tests.language import tiny_gguf
from tests.language.conftest import gguf_file, onnx_cache

__all__ = ["gguf_file", "onnx_cache"]  # fixtures


@pytest.fixture
def sound(tmp_path: Path, tone) -> Path:
    io.save(tmp_path / "in.wav", tone(1.0))
    return tmp_path / "in.wav"


@pytest.fixture(scope="session")
def language(models, tmp_path_factory) -> Path:
    """A model on the default base, whose conversion has something to do."""
    fingerprint = AudioTokenizer.load(models.ours, "griffin-lim").fingerprint
    config = LanguageConfig(tokenizer_fingerprint=fingerprint)
    made, rows = tiny_gguf.network(), config.codebook_size + 2
    made.resize_token_embeddings(len(tiny_gguf.WORDS) + rows, mean_resizing=False)
    state = {name: torch.zeros(shape) for name, shape in adapter._expected(made, config.lora, rows).items()}
    folder = tmp_path_factory.mktemp("language")
    checkpoint.save_model(folder, config, state)
    return folder


def check_one_sentence(result, words: str) -> None:
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert [line[:5] for line in result.stderr.splitlines() if "Converting" not in line] == ["msn: "]


def folder_of(models, tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    for path in models.ours.iterdir():
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "model"


def test_a_folder_without_weights(msn, models, sound: Path, tmp_path: Path):
    folder = folder_of(models, tmp_path)
    (folder / checkpoint.WEIGHTS_FILE).unlink()
    check_one_sentence(msn("encode", sound, tmp_path / "a.msn", "--model", folder), str(folder))
    assert not (tmp_path / "a.msn").exists()


def test_weights_that_are_not_those_of_the_fingerprint(msn, models, sound: Path, tmp_path: Path):
    folder = folder_of(models, tmp_path)
    (folder / checkpoint.WEIGHTS_FILE).write_bytes((models.baseline / checkpoint.WEIGHTS_FILE).read_bytes())
    check_one_sentence(msn("encode", sound, tmp_path / "a.msn", "--model", folder), "says it is the model")
    assert not (tmp_path / "a.msn").exists()


def test_an_operator_that_onnxruntime_lacks(msn, models, sound: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("makesomenoise.engine.onnx_file.OPSET", 999)
    check_one_sentence(msn("encode", sound, tmp_path / "a.msn", "--model", models.ours), "cannot load the network")
    assert not (tmp_path / "a.msn").exists()


def test_torch_where_there_is_none(msn, models, sound: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(base, "_is_importable", lambda _: False)
    result = msn("encode", sound, tmp_path / "a.msn", "--model", models.ours, "--engine", "torch")
    check_one_sentence(result, "pip install 'makesomenoise[torch]'")
    assert not (tmp_path / "a.msn").exists()


def test_a_cache_that_cannot_be_written(msn, models, language: Path, sound: Path, onnx_cache: Path, monkeypatch):
    onnx_cache.touch()  # where the folder would lie
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: "/proc/none")
    check_one_sentence(msn("caption", sound, "--model", language, "--tokenizer", models.ours), "set XDG_CACHE_HOME")


def test_a_disk_that_is_full_before_the_end(msn, models, language: Path, sound: Path, onnx_cache: Path, monkeypatch):
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:100])
        raise files.cannot("write", path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(quantized, "write_bytes", full)
    check_one_sentence(msn("caption", sound, "--model", language, "--tokenizer", models.ours), "No space left")
    assert [path.suffix for path in onnx_cache.iterdir()] == [".lock"]
