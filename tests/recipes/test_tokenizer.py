"""The road to new codes in one command: what teaches them comes first, and their decoder after them."""

import os
import subprocess
from pathlib import Path

import pytest

from makesomenoise.training.semantic_branch import SemanticBranchTrainingConfig
from makesomenoise.training.tokenizer import TokenizerTrainingConfig

SCRIPT = Path(__file__).parents[2] / "recipes" / "tokenizer.sh"
MSN = """#!/usr/bin/env bash
echo "$@" >> {log}
for ((i = 1; i < $#; i++)); do [[ ${{!i}} == --run ]] && j=$((i + 1)) && mkdir -p "${{!j}}/model"; done
[[ "$1 $2 $3" == "data prepare simple" ]] && mkdir -p "$4"
[[ $1 == evaluate ]] && mkdir -p "$4"
exit 0
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the `msn` and the `python` that the script finds write what they were asked for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "msn").write_text(MSN.format(log=tmp_path / "log"))
    (tmp_path / "bin" / "python").write_text('#!/usr/bin/env bash\nmkdir -p "$3"\n')
    for path in (tmp_path / "bin").iterdir():
        path.chmod(0o755)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "train-000.tar").touch()
    (tmp_path / "yamnet.tflite").touch()
    return tmp_path / "log"


def _walked(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{log.parent / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, cwd=log.parent, env=environment, check=False
    )


def test_codes_are_taught_and_then_their_decoder_learns(log: Path) -> None:
    done = _walked(log, "corpus", "runs", "yamnet.tflite", "birdnet.tflite")
    assert done.returncode == 0, done.stderr
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()][:5] == [
        "simple",
        "scene",
        "codes",
        "decoder",
        "distill",
    ]
    assert "--ear birdnet.tflite" in log.read_text()
    asked = log.read_text()
    assert _walked(log, "corpus", "runs", "yamnet.tflite").stdout == ""
    assert log.read_text() == asked


def test_each_stage_starts_from_the_one_before(log: Path) -> None:
    _walked(log, "corpus", "runs", "yamnet.tflite")
    runs, configs = log.parent / "runs", log.parent / "runs" / "configs"
    scene = SemanticBranchTrainingConfig.from_yaml(configs / "semantic_branch-taught.yaml")
    codes, decoder, distill = (
        TokenizerTrainingConfig.from_yaml(configs / f"{name}.yaml")
        for name in ("tokenizer-taught", "decoder", "distill")
    )
    assert scene.data.train[-1] == codes.data.train[-1] == str(runs / "simple")
    assert scene.teacher_loss.ear == codes.teacher_loss.ear == str(log.parent / "yamnet.tflite")
    assert scene.teacher_loss.cache == codes.teacher_loss.cache == str(runs / "taught")
    assert codes.init_semantic_branch_from == str(runs / "scene" / "model")
    assert decoder.init_from == str(runs / "codes" / "model")
    assert distill.init_from == str(runs / "decoder" / "model")
    assert codes.model.identity() == decoder.model.identity() == distill.model.identity()
    assert decoder.teacher_loss.ear is None
    assert decoder.imitate is not None
    assert distill.imitate is None


def test_what_is_missing_is_said_in_one_sentence(log: Path) -> None:
    assert _walked(log, "corpus", "runs").stderr.startswith("Give the folder of the corpus")
    done = _walked(log, "corpus", "runs", "nowhere.tflite")
    assert done.returncode == 2
    assert done.stderr.endswith(
        "nowhere.tflite is no file: give the embedding network that teaches, such as yamnet.tflite.\n"
    )
    (log.parent / "corpus" / "train-000.tar").unlink()
    assert "holds no train-*.tar" in _walked(log, "corpus", "runs", "yamnet.tflite").stderr
