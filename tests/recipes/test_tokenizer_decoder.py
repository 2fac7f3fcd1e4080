"""The road in one command: its stages come in their order, are done once, and go on where they were stopped."""

import os
import subprocess
from pathlib import Path

import pytest

from makesomenoise.training.tokenizer import TokenizerTrainingConfig

SCRIPT = Path(__file__).parents[2] / "recipes" / "tokenizer-decoder.sh"
TRAINED = ["decoder", "distill", "baseline", "pure", "pure-decoder"]
SHIPPED = {"ours": "distill", "vqvae": "baseline", "pure": "pure-decoder"}
STAGES = [*TRAINED, *(f"models/{name}" for name in SHIPPED), "evaluate"]
PYTHON = """#!/usr/bin/env bash
echo "store ${{@:2}}" >> {log}
mkdir -p "$3"
"""
MSN = """#!/usr/bin/env bash
echo "$@" >> {log}
if grep -q fail {log}.fails 2>/dev/null && [[ "$*" == *distill* ]]; then exit 3; fi
for ((i = 1; i < $#; i++)); do [[ ${{!i}} == --run ]] && j=$((i + 1)) && mkdir -p "${{!j}}/model"; done
[[ $1 == evaluate ]] && mkdir -p "$4"
exit 0
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the `msn` and the `python` that the script finds write what they were asked for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "msn").write_text(MSN.format(log=tmp_path / "log"))
    (tmp_path / "bin" / "python").write_text(PYTHON.format(log=tmp_path / "log"))
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train-000.tar").touch()
    return tmp_path / "log"


def _walked(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    folder = log.parent
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )


def test_stages_are_done_in_order_and_once(log: Path) -> None:
    done = _walked(log, "corpus", "my runs", "ear.tflite")
    assert done.returncode == 0, done.stderr
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()] == STAGES
    asked = log.read_text().splitlines()
    assert all("--resume" in line for line in asked[: len(TRAINED)])
    runs = log.parent / "my runs"
    for line, (name, source) in zip(asked[len(TRAINED) :], SHIPPED.items(), strict=False):
        assert line == f"store {runs}/{source}/model {runs}/models/{name} --storage int8"
    assert "--ear ear.tflite" in asked[-1]
    assert _walked(log, "corpus", "my runs").stdout == ""
    assert log.read_text().splitlines() == asked


def test_a_stage_that_failed_is_done_again(log: Path) -> None:
    fails = log.with_suffix(".fails")
    fails.write_text("fail")
    assert _walked(log, "corpus", "runs").returncode == 3
    fails.unlink()
    done = _walked(log, "corpus", "runs")
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()] == STAGES[1:]


def test_the_configurations_speak_of_the_folders_that_were_given(log: Path) -> None:
    _walked(log, "corpus", "runs")
    runs = log.parent / "runs"
    config = TokenizerTrainingConfig.from_yaml(runs / "configs" / "vqvae-decoder.yaml")
    assert config.init_decoder_from == str(runs / "decoder" / "model")
    assert config.data.train[0] == str(log.parent / "corpus" / "train-*.tar")
    assert config.data.cache == str(runs / "clips")


def test_what_is_missing_is_said_in_one_sentence(log: Path) -> None:
    done = _walked(log)
    assert done.returncode == 2
    assert done.stderr.startswith("Give the folder of the corpus")
    (log.parent / "corpus" / "train-000.tar").unlink()
    done = _walked(log, "corpus", "runs")
    assert done.returncode == 2
    assert done.stderr.endswith("holds no train-*.tar: give the folder of the corpus.\n")
