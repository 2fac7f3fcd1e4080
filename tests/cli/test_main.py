"""The command line as a whole: every command explains itself, and only our own errors lose their traceback."""

import re

import pytest

COMMANDS = [
    ("encode",),
    ("decode",),
    ("info",),
    ("train", "tokenizer"),
    ("train", "vocoder"),
    ("train", "language"),
    ("evaluate", "tokenizer"),
    ("evaluate", "language"),
    ("caption",),
    ("classify",),
    ("ask",),
    ("generate",),
    ("chat",),
    ("merge",),
    ("bench",),
    ("demo",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...], msn):
    result = msn(*command, "--help")
    assert result.exit_code == 0
    assert f"{' '.join(command)} [OPTIONS]" in result.stdout


def test_an_unknown_command_and_a_missing_argument_exit_with_2(msn):
    assert msn("sing").exit_code == 2
    assert msn("encode").exit_code == 2
    assert msn("decode", "a.msn", "a.wav", "--steps", "0").exit_code == 2


def test_a_bad_configuration_is_one_sentence(msn, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("modle: {}\ndata: {train: [a.tar], valid: [b.tar]}\n")
    result = msn("train", "tokenizer", path, "--run", tmp_path / "run")
    assert result.exit_code == 2
    assert "Unknown key 'modle'" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_dry_run_says_what_a_run_takes(msn, tmp_path):
    config = "configs/language/vicuna-7b.yaml"
    result = msn("train", "language", config, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "6,738 M parameters" in result.stdout
    assert msn("train", "language", config).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_bug_keeps_its_traceback(msn, monkeypatch):
    def broken(path: object) -> None:
        raise ValueError(f"not a sentence for users: {path}")

    monkeypatch.setattr("makesomenoise.tokenizer.msn_header.read_header", broken)
    result = msn("info", "a.msn")
    assert result.exit_code == 1
    assert isinstance(result.exception, ValueError)


def test_bench_names_the_bitrate_and_both_speeds(msn, models):
    ours = ("--model", models.ours, "--vocoder", models.vocoder)
    result = msn("bench", *ours, "--language", "none", "--engine", "onnx", "--seconds", 1)
    assert result.exit_code == 0, result.output
    assert re.search(r", onnx \| 234 \| [\d.]+ \| [\d.]+ \|", result.stdout)
