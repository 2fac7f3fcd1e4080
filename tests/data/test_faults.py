"""What dies in the middle, or finds no room, is finished by the same command, with the codes of an undisturbed run.

`benchmarks/encode_faults.py` does more of it, at a larger size.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from makesomenoise.data.codes import read_codes
from makesomenoise.data.encode import encode_corpus

# Kills a process between writing a shard and giving it its name, once.
HOOK = """
import os, signal, sys
def watch(event, args):
    if event == "os.rename" and str(args[1]).endswith(".parquet"):
        try:
            os.close(os.open(os.environ["DIE_ONCE"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
"""


@pytest.fixture
def model(tiny_tokenizers: tuple[Path, Path]) -> Path:
    return tiny_tokenizers[0]


@pytest.fixture
def whole(sounds: Path, model: Path, tmp_path: Path) -> list:
    encode_corpus([sounds], tmp_path / "whole", model)
    return list(read_codes(tmp_path / "whole"))


def encode(sounds: Path, model: Path, output: Path, *options: str, **process) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "makesomenoise", "data", "encode", str(sounds), str(output), "--model", str(model)]
    known = {**os.environ, "OMP_NUM_THREADS": "1", **process.pop("environment", {})}
    return subprocess.run(
        [*command, *options], env=known, capture_output=True, text=True, check=False, timeout=300, **process
    )


@pytest.fixture
def dying(tmp_path: Path) -> dict[str, str]:
    """An environment in which the first process that names a shard is killed."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(tmp_path / "hook"), "DIE_ONCE": str(tmp_path / "died")}


def check_undisturbed(output: Path, whole: list) -> None:
    assert list(read_codes(output)) == whole
    assert sorted(path.suffix for path in output.iterdir()) == [".parquet"] * 7


@pytest.mark.slow
def test_a_command_that_is_killed_while_it_writes_is_finished_by_the_next(
    sounds: Path, model: Path, whole: list, dying: dict[str, str], tmp_path: Path
):
    killed = encode(sounds, model, tmp_path / "codes", "--workers", "1", environment=dying)
    assert killed.returncode == -9
    assert not list((tmp_path / "codes").glob("*.parquet"))
    again = encode(sounds, model, tmp_path / "codes", "--workers", "1", environment=dying)
    assert again.returncode == 0, again.stderr
    assert "7 clips" in again.stdout
    for part in (tmp_path / "codes").glob(".*.part"):  # swept once it is old: another process might be writing it
        part.unlink()
    check_undisturbed(tmp_path / "codes", whole)


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_one_sentence_and_with_room_all_is_done(
    sounds: Path, model: Path, whole: list, tmp_path: Path
):
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))

    first = encode(sounds, model, tmp_path / "codes", "--workers", "1", preexec_fn=little)
    assert first.returncode == 2
    assert len(first.stderr.strip().splitlines()) == 1
    assert "File too large" in first.stderr
    assert not list((tmp_path / "codes").iterdir())
    assert encode(sounds, model, tmp_path / "codes", "--workers", "1").returncode == 0
    check_undisturbed(tmp_path / "codes", whole)
