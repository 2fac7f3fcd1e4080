"""The whole evaluation on a made-up corpus, with a tokenizer of random weights."""

import json
from pathlib import Path

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.config import Teacher
from makesomenoise.engine.ears import Ear, EarError
from makesomenoise.evaluation.benchmark import measure_peak_memory
from makesomenoise.evaluation.event_classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.report import EvaluationError
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.evaluation.tokenizer import reconstruction
from makesomenoise.evaluation.tokenizer.report import TokenizerEvaluationConfig, evaluate_tokenizer
from makesomenoise.tokenizer.config import TokenizerConfig
from tests import factories

SETTINGS = {"min_clips": 3, "codecs": False, "memory_minutes": 0}
CONFIG = TokenizerEvaluationConfig(**SETTINGS, speed_seconds=1.0, public_codecs=False)
FEW = TokenizerEvaluationConfig(**SETTINGS, probe=False, speed_seconds=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `tokenizer`, `vocoder` and `classifier` with random weights."""
    folder = tmp_path_factory.mktemp("models")
    tasks = {"esc50": ("clicks", "noise", "tone"), "kind": ("sfx", "speech")}
    judging = ClassifierConfig(channels=(2, 3, 4, 5), feature_size=6, tasks=tasks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint.save_model(folder / "classifier", judging, EventClassifier(judging).state_dict())
    factories.save_tokenizer(folder / "tokenizer")
    factories.save_vocoder(folder / "vocoder")
    return folder


def run(models: Path, corpus: Corpus, output: Path, config: TokenizerEvaluationConfig, ears: tuple = ()) -> dict:
    config = config.model_copy(update={"vocoder": str(models / "vocoder")})
    return evaluate_tokenizer({"ours": models / "tokenizer"}, corpus, models / "classifier", output, config, ears)


def test_every_question_is_answered_and_written(models: Path, corpus: Corpus, tmp_path: Path):
    results = run(models, corpus, tmp_path, CONFIG)
    assert json.loads((tmp_path / "results.json").read_text()) == json.loads(json.dumps(results))
    assert list(results["systems"]) == ["original", "ours", "mel and vocoder, no codes"]
    ours = results["systems"]["ours"]
    assert ours["fidelity"]["esc50"] == ours["fidelity"]["all"]
    assert ours["fidelity"]["all"]["bits_per_second"] == 240.0  # 24 whole codes for each second
    assert ours["event_classifier"]["esc50"]["clips"] == 6
    assert results["systems"]["original"]["event_classifier"]["esc50"]["frechet_distance"] < 1e-6
    assert len(results["code_probe"]["ours"]["accuracies"]) == 5
    assert results["speed"][0]["name"] == "ours"
    report = (tmp_path / "results.md").read_text()
    assert "| ours | all | 6 | 240.0 |" in report
    assert "WavTokenizer" in report
    assert "None was asked (`--ear FILE`)" in report
    assert "ears" not in results["systems"]["ours"]
    assert (tmp_path / "accuracy.png").stat().st_size > 1000
    assert results["provenance"]["reconstruction ours"] == {"version": "1", "commits": [results["machine"]["commit"]]}
    assert set(results["provenance"]) == {
        "reconstruction ours",
        "reconstruction mel and vocoder, no codes",
        "code probe esc50",
    }


def test_a_second_run_does_not_code_again(
    models: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = FEW.model_copy(update={"limit": 2})
    first = run(models, corpus, tmp_path, config)
    assert first["systems"]["ours"]["fidelity"]["all"]["clips"] == 2
    seen = []
    monkeypatch.setattr(reconstruction, "reconstruct_clips", lambda system, *_: seen.append(system.name) or 1 / 0)
    assert run(models, corpus, tmp_path, config)["systems"] == first["systems"]
    with pytest.raises(ZeroDivisionError):
        run(models, corpus, tmp_path, config.model_copy(update={"fresh": True}))
    assert seen == ["ours"]


def test_ears_judge_every_system_in_the_same_run(
    models: Path, corpus: Corpus, ear_source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    reconstruct_clips = reconstruction.reconstruct_clips
    monkeypatch.setattr(
        reconstruction,
        "reconstruct_clips",
        lambda system, *rest: seen.append(system.name) or reconstruct_clips(system, *rest),
    )
    results = run(models, corpus, tmp_path, FEW, (ear_source,))
    assert seen == ["ours", "mel and vocoder, no codes"]  # once for classifier and ear
    assert results["settings"]["ears"]["quarters"][0] == Ear.open(ear_source).sha256
    figures = {name: found["ears"]["quarters"]["esc50"] for name, found in results["systems"].items()}
    assert {found["clips"] for found in figures.values()} == {6}
    assert figures["original"]["agreement"] == 1.0
    assert figures["original"]["frechet_distance"] < 1e-9 < figures["ours"]["frechet_distance"]
    report = (tmp_path / "results.md").read_text()
    assert report.index("### quarters") < report.index("## What our classifier still hears")
    assert "| system | bit/s | esc50 (6 clips) accuracy | top 5 | agreement | Fréchet |" in report
    assert "| ours | 240 |" in report
    assert run(models, corpus, tmp_path, FEW, (ear_source,))["systems"] == results["systems"]
    without = run(models, corpus, tmp_path, FEW)["systems"]["ours"]
    assert without["event_classifier"] == results["systems"]["ours"]["event_classifier"]
    assert len(seen) == 4


def save_taught(folder: Path, models: Path, ear_source: str, part: str) -> None:
    """A tokenizer that names the ear under a part of it."""
    teacher = Teacher(name="quarters", sha256=Ear.open(ear_source).sha256)
    config = TokenizerConfig.model_validate(factories.TINY | {part: (teacher,)})
    checkpoint.save_model(folder, config, checkpoint.load_state(models / "tokenizer"))


def test_an_ear_that_taught_a_model_is_refused_before_anything_is_judged(
    models: Path, corpus: Corpus, ear_source: str, tmp_path: Path
):
    save_taught(tmp_path / "taught", models, ear_source, "teachers")
    few = FEW.model_copy(update={"vocoder": str(models / "vocoder")})
    arguments = ({"taught": tmp_path / "taught"}, corpus, tmp_path / "none", tmp_path / "out", few)
    with pytest.raises(EarError, match="quarters is among the teachers of the tokenizer of 'taught'"):
        evaluate_tokenizer(*arguments, (ear_source,))
    with pytest.raises(EarError, match="No ear at nowhere"):
        evaluate_tokenizer(*arguments, ("nowhere.tflite",))
    assert not (tmp_path / "out").exists()


def test_an_ear_that_taught_codes_is_said_to_have_done_so(
    models: Path, corpus: Corpus, ear_source: str, tmp_path: Path
):
    save_taught(tmp_path / "taught", models, ear_source, "code_teachers")
    few = FEW.model_copy(update={"vocoder": str(models / "vocoder")})
    tokenizers = {"taught": tmp_path / "taught", "ours": models / "tokenizer"}
    results = evaluate_tokenizer(tokenizers, corpus, models / "classifier", tmp_path / "out", few, (ear_source,))
    assert results["settings"]["code_teachers"] == {"quarters": ["taught"]}
    assert "It taught the codes of taught what to tell" in (tmp_path / "out" / "results.md").read_text()


def test_no_tokenizer_and_a_missing_one_are_refused(models: Path, corpus: Corpus, tmp_path: Path):
    with pytest.raises(EvaluationError, match="name at least one"):
        evaluate_tokenizer({}, corpus, models / "classifier", tmp_path)
    with pytest.raises(CheckpointError, match="No model"):
        evaluate_tokenizer({"x": "nowhere"}, corpus, models / "classifier", tmp_path)


@pytest.mark.slow
def test_memory_of_a_fresh_process_is_measured_in_bytes(models: Path):
    peak = measure_peak_memory(models / "tokenizer", models / "vocoder", minutes=0.05, threads=1)
    assert 50 * 2**20 < peak < 1500 * 2**20
