"""How much speed is kept beside a busy neighbour: with one of two cores occupied by another process, against one free.

    python benchmarks/busy_neighbour.py

Times steps of the language model and decoding in a process that may use two cores while another one spins on one of
them, and in a process that has one core to itself. At least 0.6 of the speed should be left: threads that wait in loops
for each other lose far more.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from multiprocessing.synchronize import Event

import numpy as np

from makesomenoise.language.speaker import load_speaker
from makesomenoise.tokenizer.model import AudioTokenizer


def spin(core: int, stop: Event) -> None:
    """Keeps a core busy."""
    os.sched_setaffinity(0, {core})
    while not stop.is_set():
        for _ in range(100_000):
            pass


def measure(cores: set[int], work: str, repeats: int, results: "multiprocessing.Queue[float]") -> None:
    """Puts the median seconds of a piece of work into a queue."""
    os.sched_setaffinity(0, cores)
    call = language_steps() if work == "language steps" else decoding()
    call()
    results.put(statistics.median(_seconds(call) for _ in range(repeats)))


def language_steps():
    """64 steps of two rows, as a guided sound takes them."""
    engine = load_speaker("language").engine

    def call() -> None:
        state = engine.begin(2)
        engine.read(state, [[1, 2, 3], [1, 2, 3]])
        for token in range(64):
            engine.audio_scores(engine.read(state, [[token + 100], [token + 100]]))

    return call


def decoding():
    """Ten seconds of sound."""
    tokenizer = AudioTokenizer.load()
    codes = np.random.default_rng(0).integers(0, tokenizer.codebook_size, (1, 234))
    return lambda: tokenizer.decode(codes)


def main() -> None:
    """Reads the command line and prints a line for each kind of work."""
    parser = argparse.ArgumentParser(description="Speed with one core occupied against one free core.")
    parser.add_argument("--repeats", type=int, default=5, help="the median of so many counts")
    given = parser.parse_args()
    first, second = sorted(os.sched_getaffinity(0))[:2]
    context = multiprocessing.get_context("spawn")
    for work in ("language steps", "decoding"):
        free = _measured(context, {first}, work, given.repeats)
        stop = context.Event()
        neighbour = context.Process(target=spin, args=(second, stop), daemon=True)
        neighbour.start()
        beside = _measured(context, {first, second}, work, given.repeats)
        stop.set()
        neighbour.join()
        print(f"{work}: {free:.2f} s on one free core, {beside:.2f} s on two of which one is busy: {free / beside:.2f}")


def _measured(context, cores: set[int], work: str, repeats: int) -> float:
    results = context.Queue()
    process = context.Process(target=measure, args=(cores, work, repeats, results))
    process.start()
    found = results.get()
    process.join()
    return found


def _seconds(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
