"""The whole evaluation with random models: every question is answered, kept and written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.data.codes import CodeClip, CodesError, Event, Stamp, write_codes
from makesomenoise.engine.base import EngineError
from makesomenoise.engine.ears import EarError
from makesomenoise.errors import ConfigError
from makesomenoise.evaluation.benchmark import LanguageSpeed
from makesomenoise.evaluation.cold_start import ColdStart
from makesomenoise.evaluation.event_classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.language import report
from makesomenoise.evaluation.language.generation import CLASSIFIER
from makesomenoise.evaluation.language.report import (
    QUESTIONS,
    EvaluationError,
    LanguageEvaluationConfig,
    LanguageInputs,
    evaluate_language,
)
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language.model import LanguageModel
from makesomenoise.pipeline import PipelineError
from makesomenoise.tokenizer.model import AudioTokenizer
from tests import factories


def test_settings_replace_the_usual_ones():
    found = LanguageEvaluationConfig.from_settings(
        ["guidance=2", "questions=[classification, forgetting]", "cache=a/b", "guidance=1.5"]
    )
    assert (found.sampling.guidance, found.questions, str(found.cache)) == (
        1.5,
        ("classification", "forgetting"),
        "a/b",
    )
    assert LanguageEvaluationConfig.from_settings([]).questions == QUESTIONS


@pytest.mark.parametrize("setting", ["guidance", "=3", "guidance=", "questions=[classification"])
def test_what_cannot_be_read_is_said(setting: str):
    with pytest.raises(EvaluationError, match="Cannot read"):
        LanguageEvaluationConfig.from_settings([setting])


def test_unknown_settings_and_values_are_refused():
    with pytest.raises(ConfigError, match="Unknown key 'guidence'"):
        LanguageEvaluationConfig.from_settings(["guidence=3"])
    with pytest.raises(ConfigError, match="questions"):
        LanguageEvaluationConfig.from_settings(["questions=[smell]"])


LABELS = ("clicks", "noise", "tone")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, base: Path) -> LanguageInputs:
    """Random models in folders, the corpus as sound files, and codes of its validation split."""
    folder = tmp_path_factory.mktemp("inputs")
    judging = ClassifierConfig(
        channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": LABELS, "label": ("dog", "rain"), "kind": ("sfx",)}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint.save_model(folder / "classifier", judging, EventClassifier(judging).state_dict())
    factories.save_tokenizer(folder / "tokenizer")
    factories.save_vocoder(folder / "vocoder")
    fingerprint = AudioTokenizer.load(folder / "tokenizer", "griffin-lim").fingerprint
    factories.language_model(base, fingerprint).save(folder / "model")
    clips = [
        CodeClip(c.key, tuple(range(24)), 1.0, dataset="esc50", split="valid", fold="4", kind="sfx", label=c.label)
        for c in corpus.valid
    ]
    events = (Event("dog", 0.2, 0.6, -20.0), Event("rain", 1.0, 2.0, -30.0))
    scene = CodeClip("scenes-0-0", tuple(range(48)), 2.0, dataset="scenes", title="a dog barks", events=events)
    (folder / "codes").mkdir()
    write_codes(folder / "codes" / "valid-000-000.parquet", [*clips, scene], Stamp(fingerprint, 1024, 23.4375))
    return LanguageInputs(folder / "codes", folder, folder / "classifier", folder / "model", folder / "tokenizer")


@pytest.fixture
def config(inputs: LanguageInputs) -> LanguageEvaluationConfig:
    return LanguageEvaluationConfig(vocoder=str(inputs.codes.parent / "vocoder"), sounds=1, seconds=0.5, threads=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, corpus: Corpus) -> None:
    """Starts no processes and reads no files of the corpus."""
    speed = LanguageSpeed(10.0, 1, 1, "cpu", "torch", 1.0, 1.0, 3, 9.0, 26.0, 2**30)
    monkeypatch.setattr(report, "measure_language_speed", lambda *_, **__: speed)
    monkeypatch.setattr(report, "measure_caption_start", lambda *_: ColdStart(None, "no such command"))
    monkeypatch.setattr(report.Corpus, "read", lambda *_: corpus)


def test_every_question_is_answered_and_written(
    inputs: LanguageInputs, config: LanguageEvaluationConfig, tmp_path: Path
):
    results = evaluate_language(inputs, tmp_path, config)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    found = results["classification"]["esc50"]
    assert found["clips"] == 6
    assert sum(map(sum, found["confusion"])) == 6
    assert found["event_classifier"]["clips"] == 6
    assert 0.0 <= found["code_probe"]["mean"] <= 1.0
    assert results["captioning"]["by_reference"]["scenes"]["clips"] == 1
    assert results["scene_qa"]["first"]["questions"] == 1
    assert [row["sounds"] for row in results["generation"]["labels"][CLASSIFIER].values()] == [3, 3, 3]
    assert list(results["generation"]["scenes"][CLASSIFIER]) == ["the same through the tokenizer", "made from text"]
    assert results["forgetting"]["perplexity_model"] > 1.0
    report = (tmp_path / "results.md").read_text()
    for text in ("| LTU-7B (published) | 83.1 %", "| made from text | 3 |", "| first | 1 |", "failed: no such command"):
        assert text in report
    assert {path.name for path in tmp_path.glob("*.png")} == {"confusion-esc50.png", "scene_qa.png", "generation.png"}


def test_a_second_run_asks_nothing_again(
    inputs: LanguageInputs, config: LanguageEvaluationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    some = config.model_copy(update={"questions": ("captioning", "forgetting", "generation"), "limit": 1})
    first = evaluate_language(inputs, tmp_path, some)
    assert (first["settings"]["clips"], first["settings"]["engine"]) == (1, "torch")
    assert first["generation"]["labels"][CLASSIFIER]["made from text"]["sounds"] == 1
    monkeypatch.setattr(LanguageModel, "hidden", lambda *_: pytest.fail("asked again"))
    second = evaluate_language(inputs, tmp_path, some)
    assert {k: v for k, v in second.items() if k != "machine"} == {k: v for k, v in first.items() if k != "machine"}


def test_ears_hear_the_names_that_were_made(
    inputs: LanguageInputs, config: LanguageEvaluationConfig, ear_source: str, tmp_path: Path
):
    some = config.model_copy(update={"questions": ("generation",)})
    results = evaluate_language(replace(inputs, ears=(ear_source,)), tmp_path, some)
    assert list(results["generation"]["labels"]) == ["quarters", CLASSIFIER]
    assert list(results["generation"]["scenes"]) == [CLASSIFIER]
    assert [row["sounds"] for row in results["generation"]["labels"]["quarters"].values()] == [3, 3, 3]
    assert results["settings"]["ears"]["quarters"][1]["sample_rate"] == 8000
    report = (tmp_path / "results.md").read_text()
    assert report.index("### labels, heard by: quarters") < report.index("### labels, heard by: event classifier")
    assert "No outside ear" not in report


def test_ears_are_looked_at_before_anything_else(inputs: LanguageInputs, tmp_path: Path):
    with pytest.raises(EarError, match="No ear at"):
        evaluate_language(replace(inputs, model="nowhere", ears=(tmp_path / "ear.onnx",)), tmp_path)


def test_other_codes_other_splits_and_missing_judges_are_refused(
    inputs: LanguageInputs, config: LanguageEvaluationConfig, tmp_path: Path
):
    codes = tmp_path / "codes"
    codes.mkdir()

    def given(fingerprint: str, *clips: CodeClip, **other) -> LanguageInputs:
        write_codes(codes / "a.parquet", clips, Stamp(fingerprint, 1024, 23.4375))
        return replace(inputs, codes=codes, **other)

    own = report.read_codes(inputs.codes)[0]
    fingerprint = AudioTokenizer.load(inputs.tokenizer, "griffin-lim").fingerprint
    with pytest.raises(CodesError, match="holds codes of the tokenizer 1111"):
        evaluate_language(given("1" * 16, own), tmp_path, config)
    with pytest.raises(EvaluationError, match="clips of the train split"):
        evaluate_language(given(fingerprint, CodeClip("a", (1,), 1.0, split="train")), tmp_path, config)
    with pytest.raises(EvaluationError, match="no clips"):
        evaluate_language(given(fingerprint), tmp_path, config)
    with pytest.raises(EvaluationError, match="No event classifier in"):
        evaluate_language(given(fingerprint, own, classifier=tmp_path), tmp_path, config)
    with pytest.raises(EngineError, match="onnx has only the base smollm2-135m"):
        evaluate_language(given(fingerprint, own), tmp_path, config.model_copy(update={"engine": "onnx"}))
    with pytest.raises(PipelineError, match="learned the codes of the tokenizer"):
        evaluate_language(given(fingerprint, own, tokenizer="default"), tmp_path, config)
