"""What it costs to encode a corpus in plain processes and on Ray, at several sizes: time, processor and memory.

    python benchmarks/encode_cost.py --clips 960 --seconds 2 --tars 24 --rounds 3
    python benchmarks/encode_cost.py --clips 1000 20000 --seconds 0.1 --model TINY

Both have two workers and take turns, so that a busy machine disturbs them alike. A run is told as what it took until
its first shard was there, and then, for the second half of the shards, since in the first some are still starting, as
what a clip took: of the processor, by those who encode, by the command and by the rest of Ray, and by the clock. Memory
is what a process had for its own at its peak.
"""

import argparse
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from watching import Cost, Look, watched

_RATE = 24_000
_ENGINES = {"plain": (), "ray": ("--ray",)}


def make_corpus(folder: Path, clips: int, seconds: float, tars: int) -> None:
    """Tars of noise, ten different clips over and over."""
    folder.mkdir(parents=True)
    rng, sounds = np.random.default_rng(0), []
    for _ in range(10):
        buffer = BytesIO()
        soundfile.write(buffer, 0.1 * rng.standard_normal(round(seconds * _RATE)), _RATE, format="FLAC")
        sounds.append(buffer.getvalue())
    for shard in range(tars):
        with tarfile.open(folder / f"train-{shard:03d}.tar", "w") as tar:
            for number in range(shard, clips, tars):
                member = tarfile.TarInfo(f"clip-{number:06d}.flac")
                member.size = len(sounds[number % 10])
                tar.addfile(member, BytesIO(sounds[number % 10]))


def encoded(corpus: Path, engine: str, model: str) -> Cost:
    """Encodes a corpus into a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as name:
        codes = Path(name) / "codes"
        command = [sys.executable, "-m", "makesomenoise", "data", "encode", str(corpus), str(codes), "--workers", "2"]
        cost = watched([*command, "--model", model, *_ENGINES[engine]], lambda: len(list(codes.glob("*.parquet"))))
    if cost.returncode:
        raise SystemExit(cost.told)
    return cost


def told(cost: Cost, clips: int) -> str:
    """A run in a line."""
    shards = max(look.done for look in cost.looks)
    first = next(look for look in cost.looks if look.done)
    last = next(look for look in cost.looks if look.done == shards)
    memory = ", ".join(f"{kind} {size:.0f}" for kind, size in sorted(cost.memory.items()))
    line = f"first shard after {first.seconds:.0f} s, {sum(first.processor.values()):.1f} s of the processor; "
    half = next(look for look in cost.looks if 2 * look.done >= shards)
    made = (last.done - half.done) * clips / shards
    if made:
        who = (("worker", "actor"), ("command",), ("rest of Ray",))
        spent = [1000 * (_of(last, kinds) - _of(half, kinds)) / made for kinds in who]
        line += f"then {spent[0]:.2f} + {spent[1]:.2f} + {spent[2]:.2f} ms of the processor a clip, "
        line += f"{1000 * (last.seconds - half.seconds) / made:.2f} ms by the clock; "
    return f"{line}in all {sum(cost.looks[-1].processor.values()):.1f} s; MB: {memory}"


def _of(look: Look, kinds: Sequence[str]) -> float:
    return sum(look.processor.get(kind, 0.0) for kind in kinds)


def main() -> None:
    """Prints a line a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[960])
    parser.add_argument("--seconds", type=float, default=2.0, help="of each clip")
    parser.add_argument("--tars", type=int, default=24, help="of each corpus; a shard each, up to 256 clips")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--engines", nargs="+", choices=list(_ENGINES), default=list(_ENGINES))
    parser.add_argument("--model", default="default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for clips in asked.clips:
            make_corpus(Path(name) / str(clips), clips, asked.seconds, asked.tars)
        for clips, engine in [(clips, engine) for clips in asked.clips for engine in asked.engines] * asked.rounds:
            cost = encoded(Path(name) / str(clips), engine, asked.model)
            print(f"{engine:6} {clips:6d} clips: {told(cost, clips)}", flush=True)


if __name__ == "__main__":
    main()
