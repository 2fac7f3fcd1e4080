"""What is measured on each engine, and how it is written."""

import json

import pytest

from makesomenoise.engine.base import EngineError
from makesomenoise.evaluation import speed_report
from makesomenoise.evaluation.benchmark import LanguageSpeed
from makesomenoise.evaluation.cold_start import ColdStart
from makesomenoise.evaluation.speed_report import SpeedInputs, measure_speed, write_report


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; none is really, and no language model is loaded."""
    started: list[list[str]] = []

    def start(words: list[str], _repeats: int) -> ColdStart:
        started.append(words)
        return ColdStart(None, "no such command") if words[0] == "decode" else ColdStart(0.5, "", 300 * 2**20)

    speed = LanguageSpeed(10.0, 1, 1, "cpu", "onnx", 1.0, 2.0, 3, 9.0, 26.0, 2**30)
    monkeypatch.setattr(speed_report, "measure_cold_start", start)
    monkeypatch.setattr(speed_report, "measure_language_speed", lambda *_, **__: speed)
    return started


def test_every_engine_is_measured_and_written(commands: list[list[str]], tmp_path):
    inputs = SpeedInputs(vocoder="griffin-lim", seconds=1.0, threads=1, engines=("onnx",))
    report = measure_speed(inputs)
    write_report(report, tmp_path / "new")
    found = json.loads((tmp_path / "new" / "results.json").read_text())
    assert [words[0] for words in commands] == ["encode", "decode", "caption"]
    assert all(words[words.index("--engine") + 1] == "onnx" for words in commands)
    assert found["starts"]["onnx"]["caption"]["seconds"] == 0.5
    assert [codec["name"] for codec in found["codecs"]] == ["default, onnx"]
    assert found["codecs"][0]["encode_speed"] > 0.0
    page = (tmp_path / "new" / "results.md").read_text()
    for line in (
        "| onnx | encode | 0.50 | 300 |",
        "| onnx | decode | failed: no such command |",
        "| onnx | 1.00 | 2.00",
    ):
        assert line in page


def test_without_a_language_model_none_is_measured(commands: list[list[str]]):
    report = measure_speed(SpeedInputs(vocoder="griffin-lim", language=None, seconds=1.0, engines=("onnx",)))
    assert report.language == {}
    assert [words[0] for words in commands] == ["encode", "decode"]


def test_an_engine_that_is_none_is_refused_before_anything_is_measured(commands: list[list[str]]):
    with pytest.raises(EngineError, match="Unknown engine 'x'"):
        measure_speed(SpeedInputs(engines=("onnx", "x")))
    assert commands == []
