"""Memory of a training process against the size of its corpus: `python benchmarks/corpus_memory.py 1000 20000`.

Makes code shards of so many clips of 10 s, and the cache of decoded waveforms of as many clips of 1 s; draws examples
of all of them in a fresh process each, and prints the memory that is the own of that process. Pages of mapped files are
not: the system takes them back when memory is short, and processes share them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip, Stamp, read_codes, write_codes
from makesomenoise.data.manifest import Clip

_SHARD = 2_000
_NAMES = ("rain", "dog", "siren", "wind", "cat")
_DRAW = """
import sys
import numpy as np
from makesomenoise.data.codes import read_codes
from makesomenoise.data.instructions.examples import Examples
examples = Examples(read_codes(sys.argv[1]), 23.4375)
for number in range(2000):
    examples[number]
own = [line for line in open("/proc/self/status") if line.startswith("RssAnon")]
print(int(own[0].split()[1]) / 1024)
"""
_CROP = """
import sys
from pathlib import Path
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
clips = [Clip(str(n), Path(sys.argv[1]) / f"{n % 10}.wav", n, 1) for n in range(int(sys.argv[3]))]
store = ClipStore(clips, 24_000, sys.argv[2])
for number in range(len(store)):
    store.waveform(number)
own = [line for line in open("/proc/self/status") if line.startswith("RssAnon")]
print(int(own[0].split()[1]) / 1024)
"""


def main() -> None:
    """Prints a table."""
    sizes = [int(size) for size in sys.argv[1:]] or [1_000, 20_000]
    with tempfile.TemporaryDirectory() as scratch:
        print("| clips of 10 s | codes on disk, MB | own memory of a process that draws examples, MB |\n|---|---|---|")
        for count in sizes:
            folder = Path(scratch) / str(count)
            folder.mkdir()
            _write(folder, count)
            assert len(read_codes(folder)) == count
            size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
            print(f"| {count:,} | {size:.0f} | {_measured(_DRAW, folder):.0f} |", flush=True)
        print("\n| clips of 1 s | decoded on disk, MB | own memory of a process that reads all, MB |\n|---|---|---|")
        for count in sizes:
            cache = _waveforms(Path(scratch), count)
            size = sum(path.stat().st_size for path in cache.iterdir()) / 1e6
            print(f"| {count:,} | {size:.0f} | {_measured(_CROP, scratch, cache, count):.0f} |", flush=True)


def _write(folder: Path, count: int) -> None:
    rng, stamp = np.random.default_rng(0), Stamp("0" * 16, 1024, 23.4375)
    for first in range(0, count, _SHARD):
        write_codes(
            folder / f"{first:09d}.parquet", [_clip(n, rng) for n in range(first, min(first + _SHARD, count))], stamp
        )


def _clip(number: int, rng: np.random.Generator) -> CodeClip:
    codes = tuple(rng.integers(0, 1024, 235).tolist())
    title = f"{_NAMES[number % 5]} that somebody recorded, take {number}"
    return CodeClip(
        f"clip-{number}",
        codes,
        10.0,
        (0.0, 10.0),
        dataset="esc50",
        split="train",
        label=_NAMES[number % 5],
        title=title,
    )


def _waveforms(scratch: Path, count: int) -> Path:
    """A cache as `ClipStore` leaves it behind: decoding would take longer and change nothing."""
    cache = scratch / f"cache-{count}"
    cache.mkdir()
    store = ClipStore([Clip(str(n), scratch / f"{n % 10}.wav", n, 1) for n in range(count)], 24_000, cache)
    for path in filter(None, map(store.place, store.clips)):
        np.save(path, np.zeros(24_000, np.int16))
    return cache


def _measured(script: str, *arguments: object) -> float:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
