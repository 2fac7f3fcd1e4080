"""The whole evaluation with random models: every question is answered, kept and written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.data.codes import CodeClip, CodesError, Event, Stamp, write_codes
from makesomenoise.evaluation import language_report
from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.ears import EarError
from makesomenoise.evaluation.language_questions import LanguageEvaluationError, LanguageQuestions, Sources
from makesomenoise.evaluation.language_report import evaluate_language
from makesomenoise.evaluation.language_speed import ColdStart, LanguageSpeed
from makesomenoise.evaluation.making import CLASSIFIER
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.pipeline import PipelineError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.vocos import IstftVocoder

LABELS = ("clicks", "noise", "tone")
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


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, base: Path) -> Sources:
    """Random models in folders, the corpus as sound files, and codes of its validation split."""
    folder = tmp_path_factory.mktemp("sources")
    config = TokenizerConfig.from_dict(TINY)
    judging = ClassifierConfig(
        channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": LABELS, "label": ("dog", "rain"), "kind": ("sfx",)}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint.save_model(folder / "tokenizer", config, TokenizerNetwork(config).state_dict())
        IstftVocoder(IstftVocoderConfig(dim=8, hidden=16, layers=1)).save(folder / "vocoder")
        checkpoint.save_model(folder / "classifier", judging, EventClassifier(judging).state_dict())
    fingerprint = AudioTokenizer.load(folder / "tokenizer", "griffin-lim").fingerprint
    model = LanguageModel.create(
        LanguageConfig(base=str(base), tokenizer_fingerprint=fingerprint), torch.randn(1024, 8)
    )
    model.save(folder / "model")
    clips = [
        CodeClip(c.key, tuple(range(24)), 1.0, dataset="esc50", split="valid", fold="4", kind="sfx", label=c.label)
        for c in corpus.valid
    ]
    events = (Event("dog", 0.2, 0.6, -20.0), Event("rain", 1.0, 2.0, -30.0))
    scene = CodeClip("scenes-0-0", tuple(range(48)), 2.0, dataset="scenes", title="a dog barks", events=events)
    (folder / "codes").mkdir()
    write_codes(folder / "codes" / "valid-000-000.parquet", [*clips, scene], Stamp(fingerprint, 1024, 23.4375))
    return Sources(folder / "codes", folder, folder / "classifier", folder / "model", folder / "tokenizer")


@pytest.fixture
def questions(sources: Sources) -> LanguageQuestions:
    return LanguageQuestions(vocoder=str(sources.codes.parent / "vocoder"), sounds=1, seconds=0.5, threads=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, corpus: Corpus) -> None:
    """Starts no processes and reads no files of the corpus."""
    speed = LanguageSpeed(10.0, 1, 1, "cpu", 1.0, 1.0, 3, 9.0, 26.0, 2**30)
    monkeypatch.setattr(language_report, "measure_language_speed", lambda *_: speed)
    monkeypatch.setattr(language_report, "cold_start", lambda *_: ColdStart(None, "no such command"))
    monkeypatch.setattr(language_report.Corpus, "read", lambda *_: corpus)


def test_every_question_is_answered_and_written(sources: Sources, questions: LanguageQuestions, tmp_path: Path):
    results = evaluate_language(sources, tmp_path, questions)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    naming = results["naming"]["esc50"]
    assert naming["clips"] == 6
    assert sum(map(sum, naming["confusion"])) == 6
    assert naming["classifier"]["clips"] == 6
    assert 0.0 <= naming["probe"]["mean"] <= 1.0
    assert results["captioning"]["against"]["scenes"]["clips"] == 1
    assert results["scenes"]["first"]["questions"] == 1
    assert [row["sounds"] for row in results["making"]["names"][CLASSIFIER].values()] == [3, 3, 3]
    assert list(results["making"]["scenes"][CLASSIFIER]) == ["the same through the tokenizer", "made from text"]
    assert results["kept"]["perplexity_after"] > 1.0
    report = (tmp_path / "results.md").read_text()
    for text in ("| LTU-7B (published) | 83.1 %", "| made from text | 3 |", "| first | 1 |", "failed: no such command"):
        assert text in report
    assert {path.name for path in tmp_path.glob("*.png")} == {"confusion-esc50.png", "scenes.png", "making.png"}


def test_a_second_run_asks_nothing_again(
    sources: Sources, questions: LanguageQuestions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    some = questions.model_copy(update={"ask": ("captioning", "kept", "making"), "limit": 1})
    first = evaluate_language(sources, tmp_path, some)
    assert first["settings"]["clips"] == 1
    assert first["making"]["names"][CLASSIFIER]["made from text"]["sounds"] == 1
    monkeypatch.setattr(LanguageModel, "hidden", lambda *_: pytest.fail("asked again"))
    second = evaluate_language(sources, tmp_path, some)
    assert {k: v for k, v in second.items() if k != "machine"} == {k: v for k, v in first.items() if k != "machine"}


def test_ears_hear_the_names_that_were_made(
    sources: Sources, questions: LanguageQuestions, ear_source: str, tmp_path: Path
):
    some = questions.model_copy(update={"ask": ("making",)})
    results = evaluate_language(replace(sources, ears=(ear_source,)), tmp_path, some)
    assert list(results["making"]["names"]) == ["quarters", CLASSIFIER]
    assert list(results["making"]["scenes"]) == [CLASSIFIER]
    assert [row["sounds"] for row in results["making"]["names"]["quarters"].values()] == [3, 3, 3]
    assert results["settings"]["ears"]["quarters"][1]["sample_rate"] == 8000
    report = (tmp_path / "results.md").read_text()
    assert report.index("### names, heard by: quarters") < report.index("### names, heard by: event classifier")
    assert "No outside ear" not in report


def test_ears_are_looked_at_before_anything_else(sources: Sources, tmp_path: Path):
    with pytest.raises(EarError, match="No ear at"):
        evaluate_language(replace(sources, model="nowhere", ears=(tmp_path / "ear.onnx",)), tmp_path)


def test_other_codes_other_splits_and_missing_judges_are_refused(
    sources: Sources, questions: LanguageQuestions, tmp_path: Path
):
    codes = tmp_path / "codes"
    codes.mkdir()

    def given(fingerprint: str, *clips: CodeClip, **other) -> Sources:
        write_codes(codes / "a.parquet", clips, Stamp(fingerprint, 1024, 23.4375))
        return replace(sources, codes=codes, **other)

    own = language_report.read_codes(sources.codes)[0]
    fingerprint = AudioTokenizer.load(sources.tokenizer, "griffin-lim").fingerprint
    with pytest.raises(CodesError, match="holds codes of the tokenizer 1111"):
        evaluate_language(given("1" * 16, own), tmp_path, questions)
    with pytest.raises(LanguageEvaluationError, match="clips of the train split"):
        evaluate_language(given(fingerprint, CodeClip("a", (1,), 1.0, split="train")), tmp_path, questions)
    with pytest.raises(LanguageEvaluationError, match="no clips"):
        evaluate_language(given(fingerprint), tmp_path, questions)
    with pytest.raises(LanguageEvaluationError, match="No event classifier in"):
        evaluate_language(given(fingerprint, own, classifier=tmp_path), tmp_path, questions)
    with pytest.raises(PipelineError, match="learned the codes of the tokenizer"):
        evaluate_language(given(fingerprint, own, tokenizer="default"), tmp_path, questions)
