"""The road to a language model in one command: its stages come in their order, are done once, and go on."""

import os
import subprocess
from pathlib import Path

import pytest

from makesomenoise.training.language.recipe import LanguageTrainingConfig

SCRIPT = Path(__file__).parents[2] / "recipes" / "language.sh"
STAGES = ["simple", "codes/train", "codes/valid", "open", "mean", "evaluate"]
MSN = """#!/usr/bin/env bash
echo "$@" >> {log}
if [[ -e {log}.fails && $1 == train ]]; then exit 3; fi
for folder in "$@"; do case $folder in */runs/*) [[ $folder == *.yaml ]] || mkdir -p "$folder" ;; esac; done
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the `msn` that the script finds writes what it was asked for."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "msn").write_text(MSN.format(log=tmp_path / "log"))
    (tmp_path / "bin" / "msn").chmod(0o755)
    (tmp_path / "corpus").mkdir()
    for name in ("train-000", "valid-000", "extra-000"):
        (tmp_path / "corpus" / f"{name}.tar").touch()
    return tmp_path / "log"


def _walked(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{log.parent / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], capture_output=True, text=True, cwd=log.parent, env=environment, check=False
    )


def test_stages_are_done_in_order_and_once(log: Path):
    done = _walked(log, "corpus", "runs")
    assert done.returncode == 0, done.stderr
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()] == STAGES
    asked = log.read_text().splitlines()
    corpus, runs = log.parent / "corpus", log.parent / "runs"
    assert asked[1].startswith(
        f"data encode {corpus}/train-000.tar {corpus}/extra-000.tar {runs}/simple {runs}/codes/train"
    )
    assert asked[4] == f"average {runs}/open/model language {runs}/mean --share 0.3"
    assert _walked(log, "corpus", "runs").stdout == ""
    config = LanguageTrainingConfig.from_yaml(runs / "configs" / "open.yaml")
    assert config.data.train == (str(runs / "codes" / "train"),)
    assert (config.init_from, config.tokenizer, config.codes_before) == ("language", "default", ())


def test_codes_of_another_tokenizer_are_learned_and_have_no_mean_with_those_of_before(log: Path):
    done = _walked(log, "corpus", "runs", "my tokenizer")
    assert done.returncode == 0, done.stderr
    stages = ["simple", "codes/before", "codes/train", "codes/valid", "open", "evaluate"]
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()] == stages
    tokenizer, runs = log.parent / "my tokenizer", log.parent / "runs"
    asked = log.read_text().splitlines()
    assert [line.endswith(f"--model {tokenizer}") for line in asked] == [False, False, True, True, False, False]
    assert f"--model {runs}/open/model --tokenizer {tokenizer}" in asked[-1]
    config = LanguageTrainingConfig.from_yaml(runs / "configs" / "open.yaml")
    assert (config.init_from, config.tokenizer) == ("language", str(tokenizer))
    assert config.codes_before == (str(runs / "codes" / "before"),)


def test_both_roads_follow_each_other(log: Path):
    (log.parent / "yamnet.tflite").touch()
    (log.parent / "bin" / "python").write_text('#!/usr/bin/env bash\nmkdir -p "$3"\n')
    (log.parent / "bin" / "python").chmod(0o755)
    environment = {"PATH": f"{log.parent / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(SCRIPT.with_name("all.sh")), "corpus", "runs", "yamnet.tflite"],
        capture_output=True,
        text=True,
        cwd=log.parent,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stages = [line.removeprefix("== ") for line in done.stdout.splitlines()]
    assert stages[:3] == ["simple", "scene", "codes"]
    assert stages[-4:] == ["codes/train", "codes/valid", "open", "evaluate"]
    config = LanguageTrainingConfig.from_yaml(log.parent / "runs" / "language" / "configs" / "open.yaml")
    assert config.tokenizer == str(log.parent / "runs" / "tokenizer" / "models" / "ours")


def test_a_stage_that_failed_is_done_again(log: Path):
    fails = log.with_suffix(".fails")
    fails.touch()
    assert _walked(log, "corpus", "runs").returncode == 3
    fails.unlink()
    done = _walked(log, "corpus", "runs")
    assert [line.removeprefix("== ") for line in done.stdout.splitlines()] == STAGES[3:]


def test_what_is_missing_is_said_in_one_sentence(log: Path):
    assert _walked(log).stderr.startswith("Give the folder of the corpus")
    (log.parent / "corpus" / "valid-000.tar").unlink()
    done = _walked(log, "corpus", "runs")
    assert done.returncode == 2
    assert done.stderr.endswith("holds no train-*.tar or no valid-*.tar: give the folder of the corpus.\n")
