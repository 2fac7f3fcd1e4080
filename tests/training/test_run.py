import subprocess
import sys
from pathlib import Path

import pytest

from makesomenoise.config import Config
from makesomenoise.training.run import CHECKPOINT_FILE, RunError, open_run


class Settings(Config):
    steps: int = 3


def test_a_fresh_run_records_what_is_trained(tmp_path: Path) -> None:
    assert open_run(tmp_path / "run", Settings(), resume=False) is None
    assert Settings.from_yaml(tmp_path / "run" / "config.yaml") == Settings()
    assert (tmp_path / "run" / "commit.txt").read_text().strip()


def test_a_used_folder_is_refused_unless_the_run_goes_on(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    with pytest.raises(RunError, match="in use"):
        open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    assert open_run(tmp_path, Settings(), resume=True) == tmp_path / CHECKPOINT_FILE


def test_a_process_that_joins_a_run_writes_nothing_and_finds_its_checkpoint(tmp_path: Path) -> None:
    assert open_run(tmp_path / "run", Settings(), resume=False, joins=True) is None
    assert not (tmp_path / "run").exists()
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    assert open_run(tmp_path, Settings(), resume=True, joins=True) == tmp_path / CHECKPOINT_FILE


def test_a_run_goes_on_with_its_own_configuration_only(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    (tmp_path / CHECKPOINT_FILE).touch()
    with pytest.raises(RunError, match="differs"):
        open_run(tmp_path, Settings(steps=4), resume=True)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    open_run(tmp_path, Settings(), resume=False)
    code = (
        "import sys; from makesomenoise.config import Config\n"
        "from makesomenoise.training.run import RunError, open_run\n"
        "class Settings(Config):\n    steps: int = 3\n"
        "try:\n    open_run(sys.argv[1], Settings(), resume=True)\n"
        "except RunError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Another process trains in")
    open_run(tmp_path, Settings(), resume=True)  # the process that has it may go on
