"""A command is timed in a process of its own, to its end, with the memory that it took."""

import sys

import pytest

from makesomenoise.audio import io
from makesomenoise.evaluation import cold_start
from makesomenoise.evaluation.cold_start import ColdStart, measure_caption_start, measure_cold_start


def as_msn(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Runs this Python code where the package would be run."""
    real = cold_start._RUNNER.split("runpy.run_module")[0]
    monkeypatch.setattr(cold_start, "_RUNNER", f"{real}\n{code}")


def test_a_command_is_timed_to_its_end(monkeypatch: pytest.MonkeyPatch):
    as_msn(monkeypatch, "import time, soundfile; time.sleep(0.5); print(len(soundfile.read(sys.argv[2])[0]))")
    found = measure_caption_start("m", "t", seconds=0.25)
    assert found.seconds is not None
    assert found.seconds > 0.5
    assert found.output == str(io.SAMPLE_RATE // 4)


def test_it_is_given_its_words_and_its_memory_is_its_own(monkeypatch: pytest.MonkeyPatch):
    as_msn(monkeypatch, "held = bytearray(200 * 2**20); print(*sys.argv[1:])")
    found = measure_cold_start(["caption", "x"], repeats=2)
    assert found.output == "caption x"
    assert found.peak_memory_bytes is None or 200 * 2**20 < found.peak_memory_bytes < 300 * 2**20
    assert (found.peak_memory_bytes is None) == (sys.platform != "linux")


def test_a_command_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    as_msn(monkeypatch, "sys.exit('msn: first\\nmsn: no such command')")
    assert measure_cold_start(["x"], repeats=3) == ColdStart(None, "msn: no such command")


def test_a_real_command_starts():
    found = measure_cold_start(["merge", "--format", "x"])
    assert found.seconds is None
    assert found.output.startswith("msn: ")
