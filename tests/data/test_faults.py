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
from functools import partial
from pathlib import Path

import pytest

from makesomenoise.data.codes import read_codes
from makesomenoise.data.encode import encode_corpus
from tests.processes import Msn, start_msn


def die_once(noted: Path) -> None:
    """Kills this process between writing a shard and giving it its name, if no other has died so."""

    def watch(event: str, args: tuple) -> None:
        if event == "os.rename" and str(args[1]).endswith(".parquet"):
            try:
                os.close(os.open(noted, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def little_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))


@pytest.fixture
def model(tiny_tokenizers: tuple[Path, Path]) -> Path:
    return tiny_tokenizers[0]


@pytest.fixture
def whole(sounds: Path, model: Path, tmp_path: Path) -> list:
    encode_corpus([sounds], tmp_path / "whole", model)
    return list(read_codes(tmp_path / "whole"))


def encode(sounds: Path, model: Path, output: Path, before: Callable[[], object] | None = None) -> Msn:
    words = ["data", "encode", sounds, output, "--model", model, "--workers", "1"]
    return start_msn(words, output.with_suffix(".log"), {}, before)


def check_undisturbed(output: Path, whole: list) -> None:
    assert list(read_codes(output)) == whole
    assert sorted(path.suffix for path in output.iterdir()) == [".parquet"] * 7


@pytest.mark.slow
def test_a_command_that_is_killed_while_it_writes_is_finished_by_the_next(
    sounds: Path, model: Path, whole: list, tmp_path: Path
):
    dying = partial(die_once, tmp_path / "died")
    assert encode(sounds, model, tmp_path / "codes", dying).ended() == -signal.SIGKILL
    assert not list((tmp_path / "codes").glob("*.parquet"))
    again = encode(sounds, model, tmp_path / "codes", dying)
    assert again.ended() == 0, again.told()
    assert "7 clips" in again.told()
    for part in (tmp_path / "codes").glob(".*.part"):  # swept once it is old: another process might be writing it
        part.unlink()
    check_undisturbed(tmp_path / "codes", whole)


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_one_sentence_and_with_room_all_is_done(
    sounds: Path, model: Path, whole: list, tmp_path: Path
):
    first = encode(sounds, model, tmp_path / "codes", little_room)
    assert first.ended() == 2
    assert len(first.told().strip().splitlines()) == 1
    assert "File too large" in first.told()
    assert not list((tmp_path / "codes").iterdir())
    assert encode(sounds, model, tmp_path / "codes").ended() == 0
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


def wait_until(true: Callable[[], bool], seconds: float = 400.0) -> None:
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
