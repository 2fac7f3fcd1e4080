"""How fast sound becomes words and words become sound, and in how much memory; each in a process of its own."""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from makesomenoise.audio import io
from makesomenoise.evaluation.resident import peak_resident_bytes
from makesomenoise.language.sampling import GENERATING, Sampling
from makesomenoise.pipeline import AudioLanguageModel

_REPEATS = 3
_LONGEST_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class LanguageSpeed:
    """What one process took.

    Attributes:
        seconds: length of the sounds.
        threads: of torch.
        cores: that the process may use.
        device: where it computed.
        load_seconds: from files to a model that answers.
        caption_seconds: to describe a sound, median of three after a first.
        caption_tokens: length of what was said, with the end.
        generate_seconds: to make codes from text, decode them and write the sound to disk, median of three.
        codes_per_second: of one sound, decoding and writing included.
        peak_memory_bytes: most memory it ever held; not that of a GPU.
    """

    seconds: float
    threads: int
    cores: int
    device: str
    load_seconds: float
    caption_seconds: float
    caption_tokens: int
    generate_seconds: float
    codes_per_second: float
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class ColdStart:
    """`msn caption` from nothing.

    Attributes:
        seconds: until it has ended, or None if it failed.
        said: what it printed, or why it failed.
    """

    seconds: float | None
    said: str


def measure_language_speed(
    model: str | Path,
    tokenizer: str | Path = "default",
    vocoder: str | Path = "default",
    device: str = "cpu",
    threads: int = 2,
    sampling: Sampling = GENERATING,
    seconds: float = 10.0,
) -> LanguageSpeed:
    """Times a model in a fresh process.

    Args:
        model: see `AudioLanguageModel.load`.
        tokenizer: see `AudioLanguageModel.load`.
        vocoder: see `AudioLanguageModel.load`.
        device: see `AudioLanguageModel.load`.
        threads: for torch.
        sampling: how codes are drawn.
        seconds: length of the sounds that are described and made.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        models = (str(model), str(tokenizer), str(vocoder), device)
        return pool.submit(_measured, models, threads, sampling, seconds, folder).result()


def cold_start(model: str | Path, tokenizer: str | Path = "default", seconds: float = 10.0) -> ColdStart:
    """Times `msn caption` on a sound file, from its start to its end.

    Args:
        model: what `--model` takes.
        tokenizer: what `--tokenizer` takes.
        seconds: length of the file, which is made of noise.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "noise.wav"
        io.save(file, _noise(seconds)[0])
        options = ["--model", str(model), "--tokenizer", str(tokenizer)]
        command = [sys.executable, "-m", "makesomenoise", "caption", str(file), *options]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_START_SECONDS)
        except subprocess.TimeoutExpired:
            return ColdStart(None, f"it took more than {_LONGEST_START_SECONDS:.0f} s")
        taken = time.perf_counter() - started
    if done.returncode:
        return ColdStart(None, (done.stderr.strip().splitlines() or ["no message"])[-1])
    return ColdStart(taken, done.stdout.strip())


def _measured(models: tuple[str, ...], threads: int, sampling: Sampling, seconds: float, folder: str) -> LanguageSpeed:
    torch.set_num_threads(threads)
    started = time.perf_counter()
    model = AudioLanguageModel.load(*models)
    loaded = time.perf_counter() - started
    rate, device = model.tokenizer.sample_rate, models[-1]
    sound = _noise(seconds, rate).to(device)
    said = [""]

    def caption() -> None:
        said[0] = model.caption(sound)[0]

    def generate() -> None:
        made = model.generate("a dog barking", seconds, sampling=sampling)
        io.save(Path(folder) / "made.wav", made[0], rate)

    caption_seconds, generate_seconds = _median_seconds(caption), _median_seconds(generate)
    return LanguageSpeed(
        seconds=seconds,
        threads=threads,
        cores=_usable_cores(),
        device=device,
        load_seconds=loaded,
        caption_seconds=caption_seconds,
        caption_tokens=len(model.language.vocabulary.text(said[0])) + 1,
        generate_seconds=generate_seconds,
        codes_per_second=seconds * model.tokenizer.code_rate / generate_seconds,
        peak_memory_bytes=peak_resident_bytes(),
    )


def _noise(seconds: float, rate: int = io.SAMPLE_RATE) -> torch.Tensor:
    return 0.1 * torch.randn(1, round(seconds * rate), generator=torch.Generator().manual_seed(0))


def _median_seconds(call: Callable[[], None]) -> float:
    call()
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
