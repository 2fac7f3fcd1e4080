"""Kills what encodes a corpus, in every way that comes to mind, and checks that nothing is lost or done twice.

    python benchmarks/encode_faults.py [--ray] [--clips 60] [--seconds 2] [--faults worker driver]

A small corpus of four tars and a folder is made of noise and encoded undisturbed. Then it is encoded again for each
fault: a worker, the driver, a worker between writing a shard and naming it, a disk that is full (where tmpfs can be
mounted), a shard that cannot be read, a clip that kills whoever reads it. After the same command was called once more,
codes must be those of the undisturbed run to the bit, each id must occur once, and what is missing must be named.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from makesomenoise.audio import io

_RATE = 24_000
_PATIENCE_SECONDS = 300.0
# Runs in every process through PYTHONPATH: kills it at a moment that no signal from outside would meet.
_HOOK = """
import os, signal, sys
def _die_once(marker):
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
def _watch(event, args):
    if event == "open" and isinstance(args[0], str) and args[0].endswith("poison.flac"):
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "os.rename" and os.environ.get("DIE_ONCE") and str(args[1]).endswith(".parquet"):
        _die_once(os.environ["DIE_ONCE"])
sys.addaudithook(_watch)
"""


@dataclass
class Bench:
    """A corpus, and how it is encoded.

    Attributes:
        folder: for everything.
        options: of `msn data encode`.
        failed: names of the checks that failed.
    """

    folder: Path
    options: list[str]
    failed: list[str] = field(default_factory=list)

    def sources(self, *more: Path) -> list[str]:
        """What is encoded."""
        return [str(path) for path in (*sorted((self.folder / "corpus").glob("*.tar")), *more)]

    def start(self, output: Path, *more: Path, **environment: str) -> subprocess.Popen:
        """Begins to encode."""
        command = [sys.executable, "-m", "makesomenoise", "data", "encode", *self.sources(*more), str(output)]
        known = {**os.environ, "PYTHONPATH": str(self.folder / "hook"), "OMP_NUM_THREADS": "1", **environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        return subprocess.Popen([*command, *self.options], env=known, **pipes)

    def finish(self, output: Path, *more: Path, **environment: str) -> subprocess.CompletedProcess:
        """Encodes to the end."""
        process = self.start(output, *more, **environment)
        told = process.communicate(timeout=_PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, *told)

    def check(self, name: str, output: Path, right: bool, told: str) -> None:
        """Says whether a folder holds what the undisturbed run gave, and whether the rest went as it should."""
        wanted, found = _codes(self.folder / "whole"), _codes(output)
        ids = [one for one, _ in found]
        failed = _named(output)
        missing = {one for one, _ in wanted} - set(ids)
        good = right and len(ids) == len(set(ids)) and set(found) <= set(wanted) and missing == failed & missing
        print(
            f"{'ok  ' if good else 'FAIL'} {name}: {len(ids)} rows, {len(missing)} missing, {len(failed)} named; {told}"
        )
        if not good:
            self.failed.append(name)


def _codes(folder: Path) -> list[tuple[str, tuple[int, ...]]]:
    rows = []
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path, columns=["key", "codes"])
        name = path.stem.rpartition("-")[0]
        rows += [(f"{name}/{row['key']}", tuple(row["codes"])) for row in table.to_pylist()]
    return rows


def _named(folder: Path) -> set[str]:
    path = folder / "failed.jsonl"
    return {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.exists() else set()


def _make_corpus(folder: Path, clips: int, seconds: float) -> None:
    (folder / "corpus").mkdir(parents=True)
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(_HOOK)
    rng, sound = np.random.default_rng(0), folder / "sound.flac"
    for shard in range(4):
        with tarfile.open(folder / "corpus" / f"train-{shard}.tar", "w") as tar:
            for number in range(clips):
                noise = rng.standard_normal(round(seconds * _RATE)).astype(np.float32)
                io.save(sound, 0.2 * noise * np.hanning(len(noise)).astype(np.float32))
                member = tarfile.TarInfo(f"clip-{number:04d}.flac")
                member.size = sound.stat().st_size
                tar.addfile(member, BytesIO(sound.read_bytes()))


def _wait(true: Callable[[], bool], process: subprocess.Popen) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not true() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def _workers(process: subprocess.Popen) -> list[int]:
    """Those below a process that encode: spawned ones, or actors of Ray."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    below, waiting = set(), {process.pid}
    while waiting:
        below |= waiting
        waiting = {int(pid) for pid, parent, *_ in rows if int(parent) in below} - below
    kinds = ("spawn_main", "MapWorker")
    return [int(pid) for pid, _, *words in rows if int(pid) in below and any(kind in words[0] for kind in kinds)]


def _begun(output: Path) -> Callable[[], bool]:
    return lambda: any(output.glob(".*.attempts"))


def kill_a_worker(bench: Bench) -> None:
    """The command goes on without being called again."""
    output = bench.folder / "worker"
    process = bench.start(output)
    _wait(_begun(output), process)
    killed = _workers(process)[-1:]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=_PATIENCE_SECONDS)
    bench.check("kill -9 of a worker", output, process.returncode == 0 and bool(killed), f"exit {process.returncode}")


def kill_the_driver(bench: Bench) -> None:
    """The same command finishes what was begun."""
    output = bench.folder / "driver"
    process = bench.start(output)
    _wait(_begun(output), process)
    process.kill()
    process.communicate()
    before = len(list(output.glob("*.parquet")))
    done = bench.finish(output)
    bench.check(
        "kill -9 of the driver", output, done.returncode == 0, f"{before} shards before, exit {done.returncode}"
    )


def kill_a_writer(bench: Bench) -> None:
    """A shard that was written and not yet named is made again."""
    output, marker = bench.folder / "writer", bench.folder / "died"
    done = bench.finish(output, DIE_ONCE=str(marker))
    bench.check("kill -9 in the middle of a write", output, marker.exists() and done.returncode == 0, "no second call")


def fill_the_disk(bench: Bench) -> None:
    """One sentence, and with room the same command finishes."""
    output = bench.folder / "full"
    output.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(output)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        print("--   full disk: tmpfs cannot be mounted here")
        return
    try:
        first = bench.finish(output)
        subprocess.run(["mount", "-o", "remount,size=64m", str(output)], check=True)
        second = bench.finish(output)
        lines = first.stderr.strip().splitlines()
        said = bool(lines) and "No space left" in lines[-1] and "Traceback" not in first.stderr
        right = first.returncode == 2 and said and second.returncode == 0  # noqa: PLR2004 - the code of mistakes
        bench.check("full disk", output, right, (lines or ["nothing said"])[-1][-90:])
    finally:
        subprocess.run(["umount", str(output)], check=False)


def damage_a_shard(bench: Bench) -> None:
    """It is named, and the others are encoded."""
    output, bad = bench.folder / "damaged", bench.folder / "bad.tar"
    bad.write_bytes(b"no tar" * 1000)
    done = bench.finish(output, bad)
    bench.check("unreadable shard", output, done.returncode == 0 and "bad" in _named(output), "named as bad")


def poison_a_clip(bench: Bench) -> None:
    """A clip that kills its reader is named after three deaths, and its neighbours are encoded."""
    output, folder = bench.folder / "poisoned", bench.folder / "more"
    folder.mkdir()
    for name in ("a", "poison", "z"):
        (folder / f"{name}.flac").write_bytes((bench.folder / "sound.flac").read_bytes())
    done = bench.finish(output, folder)
    keys = {one for one, _ in _codes(output)}
    right = done.returncode == 0 and "more/poison" in _named(output) and {"more/a", "more/z"} <= keys
    for path in output.glob("more-*.parquet"):
        path.unlink()  # the undisturbed run knew nothing of it
    bench.check("clip that crashes its reader", output, right, "named as more/poison")


_FAULTS: dict[str, Callable[[Bench], None]] = {
    "worker": kill_a_worker,
    "driver": kill_the_driver,
    "writer": kill_a_writer,
    "disk": fill_the_disk,
    "shard": damage_a_shard,
    "clip": poison_a_clip,
}


def main() -> int:
    """Runs all faults; 1 if one of them did harm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ray", action="store_true", help="on a Ray cluster that each call starts here")
    parser.add_argument("--clips", type=int, default=60, help="of each of four tars")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each clip")
    parser.add_argument("--model", default="default")
    parser.add_argument("--faults", nargs="+", choices=list(_FAULTS), default=list(_FAULTS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        options = ["--workers", "2", "--model", asked.model, *(["--ray"] if asked.ray else [])]
        bench = Bench(Path(scratch), options)
        _make_corpus(bench.folder, asked.clips, asked.seconds)
        whole = Bench(bench.folder, ["--workers", "1", "--model", asked.model]).finish(bench.folder / "whole")
        print(whole.stdout.strip() or whole.stderr)
        for name in asked.faults:
            _FAULTS[name](bench)
    print(f"{len(bench.failed)} failed")
    return int(bool(bench.failed))


if __name__ == "__main__":
    sys.exit(main())
