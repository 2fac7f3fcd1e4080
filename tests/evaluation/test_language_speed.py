"""Times are taken in processes of their own, which load what they are told to."""

from pathlib import Path

import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.evaluation import language_speed
from makesomenoise.evaluation.language_speed import cold_start, measure_language_speed
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer


@pytest.mark.slow
def test_a_fresh_process_is_timed(base: Path, tmp_path: Path):
    config = LanguageConfig(
        base=str(base), tokenizer_fingerprint=AudioTokenizer.load(vocoder="griffin-lim").fingerprint
    )
    LanguageModel.create(config, torch.randn(1024, 8)).save(tmp_path)
    speed = measure_language_speed(tmp_path, threads=1, seconds=0.5)
    assert (speed.threads, speed.seconds, speed.device) == (1, 0.5, "cpu")
    assert speed.codes_per_second == pytest.approx(0.5 * 23.4375 / speed.generate_seconds)
    assert 100 * 2**20 < speed.peak_memory_bytes < 3 * 2**30


def run(monkeypatch: pytest.MonkeyPatch, code: str) -> language_speed.ColdStart:
    """What a cold start comes to if `msn` were this Python code."""
    real = language_speed.subprocess.run

    def replaced(command: list[str], **options):
        assert command[1:4] == ["-m", "makesomenoise", "caption"]
        assert command[5:] == ["--model", "m", "--tokenizer", "t"]
        return real([command[0], "-c", code, command[4]], **options)

    monkeypatch.setattr(language_speed.subprocess, "run", replaced)
    return cold_start("m", "t", seconds=0.25)


def test_a_command_is_timed_to_its_end(monkeypatch: pytest.MonkeyPatch):
    code = "import sys, time, soundfile; time.sleep(0.5); print(len(soundfile.read(sys.argv[1])[0]))"
    found = run(monkeypatch, code)
    assert found.seconds is not None
    assert found.seconds > 0.5
    assert found.said == str(io.SAMPLE_RATE // 4)


def test_a_command_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    found = run(monkeypatch, "import sys; sys.exit('msn: first\\nmsn: no such command')")
    assert (found.seconds, found.said) == (None, "msn: no such command")
