"""`msn evaluate`: mistakes are one sentence, made before anything is loaded."""

from pathlib import Path

import torch

from makesomenoise.audio import io


def test_it_explains_itself(msn):
    result = msn("evaluate", "language", "--help")
    assert result.exit_code == 0
    assert "evaluate language [OPTIONS]" in result.stdout
    assert "guidance=3" in result.stdout


def test_settings_that_do_not_exist_are_named(msn, tmp_path: Path):
    result = msn("evaluate", "language", tmp_path, tmp_path / "out", "--set", "guidence=3")
    assert result.exit_code == 2
    assert (
        "msn: Unknown key 'guidence' in the settings; valid keys there: limit, fresh, vocoder, questions"
        in result.stderr
    )
    assert not (tmp_path / "out").exists()


def test_ears_that_cannot_be_used_are_one_sentence(msn, tmp_path: Path):
    for split in ("train", "valid"):
        (tmp_path / split).mkdir()
        io.save(tmp_path / split / "a.wav", torch.zeros(100))
    (tmp_path / "text.onnx").write_text("no network")
    for arguments in (("tokenizer", tmp_path, tmp_path / "out"), ("language", tmp_path, tmp_path / "out")):
        for ear, said in (
            ("nowhere.tflite", "No ear at nowhere.tflite"),
            (tmp_path / "text.onnx", "Nothing says how"),
            (f"{tmp_path / 'text.onnx'},sample_rate=8000,window_samples=8,hop_samples=8", "it is no network that runs"),
            (f"{tmp_path / 'text.onnx'},rate=8000", "Unknown key 'rate'"),
        ):
            result = msn("evaluate", *arguments, "--ear", ear)
            assert result.exit_code == 2
            assert result.stderr.startswith("msn: ")
            assert said in result.stderr
            assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_models_and_codes_are_one_sentence(msn, tmp_path: Path):
    result = msn("evaluate", "language", tmp_path, tmp_path / "out", "--model", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert result.stderr.startswith("msn: ")
    assert "Traceback" not in result.stderr
    assert msn("evaluate", "language", tmp_path).exit_code == 2
