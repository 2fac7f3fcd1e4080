"""What dies in the middle, or finds no room, is finished by the same command, with the codes of an undisturbed run.

`benchmarks/encode_faults.py` does more of it, at a larger size.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from makesomenoise.data.codes import read_codes
from makesomenoise.data.encode import encode_corpus


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


@pytest.mark.slow
def test_a_driver_that_is_killed_takes_its_cluster_along_and_plain_processes_finish(
    sounds: Path, model: Path, whole: list, dying: dict[str, str], tmp_path: Path
):
    pytest.importorskip("ray")
    codes, died = tmp_path / "codes", Path(dying["DIE_ONCE"])
    command = [sys.executable, "-m", "makesomenoise", "data", "encode", str(sounds), str(codes), "--model", str(model)]
    driver = subprocess.Popen([*command, "--ray"], env={**os.environ, "OMP_NUM_THREADS": "1", **dying})
    try:
        # An actor has died, so that something is left to do.
        wait_until(lambda: died.exists() or driver.poll() is not None)
    finally:
        driver.kill()
    assert driver.wait() == -signal.SIGKILL
    wait_until(lambda: not processes_with(str(died)))
    done = encode_corpus([sounds], codes, model)
    assert 1 <= done.clips <= 7
    assert done.clips + done.kept == 7
    for part in codes.glob(".*.part"):
        part.unlink()
    check_undisturbed(codes, whole)


def wait_until(true: Callable[[], bool], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def processes_with(text: str) -> list[str]:
    """Processes in whose environment a text stands."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            environment = (place / "environ").read_bytes()
        except OSError:  # another user's, or gone
            continue
        if text.encode() in environment:
            found.append(place.name)
    return found
