"""How fast and in how much memory, and on which machine: tokenizers beside public neural codecs, and language models.

The other codecs are built from their published configurations with random weights: speed does not depend on the values.
What loads models or counts memory runs in a fresh process that does nothing else. Only what computes in torch loads it.
"""

import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from makesomenoise.audio import io
from makesomenoise.checkpoint import source_commit
from makesomenoise.language.sampling import GENERATING, Sampling
from makesomenoise.tokenizer.files import decode_file, encode_file
from makesomenoise.tokenizer.model import AudioTokenizer

_SAMPLE_RATE = 24_000


@dataclass(frozen=True, slots=True)
class CodecSpeed:
    """How fast one codec is.

    Attributes:
        name: of the codec.
        bits_per_second: rate it was measured at.
        encode_speed: seconds of sound encoded in a second.
        decode_speed: seconds of sound decoded in a second.
    """

    name: str
    bits_per_second: float
    encode_speed: float
    decode_speed: float


@dataclass(frozen=True, slots=True)
class TimedCodec:
    """A codec to be timed: `encode` takes a waveform [1, S], `decode` takes what `encode` gave."""

    name: str
    bits_per_second: float
    encode: Callable[[np.ndarray], Any]
    decode: Callable[[Any], object]


def timed_tokenizer(name: str, tokenizer: AudioTokenizer) -> TimedCodec:
    """Our tokenizer with its default decoding."""
    return TimedCodec(name, tokenizer.bits_per_second, tokenizer.encode, tokenizer.decode)


def public_codecs() -> list[TimedCodec]:
    """EnCodec 24 kHz at 1.5 kbit/s, DAC 24 kHz and Mimi, as built by transformers."""
    return [_encodec(), _dac(), _mimi()]


def measure_codec_speed(
    codecs: list[TimedCodec], seconds: float = 30.0, threads: int = 2, repeats: int = 3
) -> list[CodecSpeed]:
    """Times every codec on the same sound.

    Args:
        codecs: what to time.
        seconds: length of the sound.
        threads: see `on_threads`.
        repeats: the median of so many runs counts, after one run on a tenth of the sound to warm up.
    """
    sound = noise(seconds)
    with on_threads(threads):
        return [_timed(codec, sound, repeats) for codec in codecs]


def _timed(codec: TimedCodec, sound: np.ndarray, repeats: int) -> CodecSpeed:
    seconds = sound.shape[1] / _SAMPLE_RATE
    codec.decode(codec.encode(sound[:, : sound.shape[1] // 10]))
    codes = codec.encode(sound)
    return CodecSpeed(
        codec.name,
        codec.bits_per_second,
        seconds / median_seconds(lambda: codec.encode(sound), repeats),
        seconds / median_seconds(lambda: codec.decode(codes), repeats),
    )


def median_seconds(call: Callable[[], object], repeats: int = 3, warmups: int = 0) -> float:
    """Median time of a call.

    Args:
        call: what is timed.
        repeats: how many times count.
        warmups: calls before those, which do not count.
    """
    for _ in range(warmups):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Keeps torch, where it is loaded, to so many threads, and this process to as many cores, where the system can."""
    torch: Any = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if torch:
        torch.set_num_threads(count)
    if cores:
        os.sched_setaffinity(0, sorted(cores)[:count])
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(threads)
        if cores:
            os.sched_setaffinity(0, cores)


def noise(seconds: float, rate: int = _SAMPLE_RATE) -> np.ndarray:
    """A sound [1, S] of noise, always the same."""
    return 0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * rate)), np.float32)


def _in_torch(name: str, rate: float, encode: Callable[[Any], Any], decode: Callable[[Any], object]) -> TimedCodec:
    import torch  # noqa: PLC0415 - only other codecs need it

    inference = torch.inference_mode()
    return TimedCodec(name, rate, inference(lambda sound: encode(torch.from_numpy(sound))), inference(decode))


def _encodec() -> TimedCodec:
    from transformers import EncodecConfig, EncodecModel  # noqa: PLC0415 - heavy, and only this question needs it

    model: Any = EncodecModel(EncodecConfig()).eval()
    return _in_torch(
        "EnCodec 24 kHz",
        1500.0,
        lambda sound: model.encode(sound[:, None], bandwidth=1.5).audio_codes,
        lambda codes: model.decode(codes, [None]).audio_values,
    )


def _dac() -> TimedCodec:
    from transformers import DacConfig, DacModel  # noqa: PLC0415 - heavy, and only this question needs it

    # The authors' 24 kHz model: a hop of 320 samples, 32 codebooks; transformers' own default is the 16 kHz model.
    config = DacConfig(sampling_rate=_SAMPLE_RATE, downsampling_ratios=[2, 4, 5, 8], n_codebooks=32)
    model: Any = DacModel(config).eval()
    return _in_torch(
        "DAC 24 kHz",
        24_000.0,
        lambda sound: model.encode(sound[:, None]).audio_codes,
        lambda codes: model.decode(audio_codes=codes).audio_values,
    )


def _mimi() -> TimedCodec:
    from transformers import MimiConfig, MimiModel  # noqa: PLC0415 - heavy, and only this question needs it

    model: Any = MimiModel(MimiConfig()).eval()
    return _in_torch(
        "Mimi",
        1100.0,
        lambda sound: model.encode(sound[:, None], num_quantizers=8).audio_codes,
        lambda codes: model.decode(codes).audio_values,
    )


def measure_peak_memory(
    source: str | Path, vocoder: str | Path = "default", minutes: float = 60.0, threads: int = 2
) -> int:
    """Highest resident memory of a process that encodes and decodes a long file, bytes.

    Args:
        source: tokenizer, as `AudioTokenizer.load` takes it.
        vocoder: vocoder, as `AudioTokenizer.load` takes it.
        minutes: length of the file, which is made of noise.
        threads: for torch.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_memory_of_coding, str(source), str(vocoder), minutes, threads, folder).result()


def _memory_of_coding(source: str, vocoder: str, minutes: float, threads: int, folder: str) -> int:
    with on_threads(threads):
        tokenizer = AudioTokenizer.load(source, vocoder)
        original, coded, decoded = (Path(folder) / name for name in ("in.wav", "coded.msn", "out.wav"))
        with io.writer(original, tokenizer.sample_rate) as write:
            for _ in range(max(1, round(minutes * 60))):
                write(noise(1.0, tokenizer.sample_rate)[0])
        encode_file(tokenizer, original, coded)
        decode_file(tokenizer, coded, decoded)
    return peak_resident_bytes()


_PROCESS_STATUS = Path("/proc/self/status")
_KIBIBYTE = 1024


def peak_resident_bytes() -> int:
    """Highest resident memory so far, bytes."""
    # getrusage would also count the parent, whose pages a new process briefly shares; VmHWM starts with the process.
    if _PROCESS_STATUS.exists():
        line = next(line for line in _PROCESS_STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * _KIBIBYTE
    import resource  # noqa: PLC0415 - not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIBIBYTE


def describe_machine() -> dict[str, str | int]:
    """What a reader needs to place the figures of a report."""
    return {
        "commit": source_commit(),
        "makesomenoise": metadata.version("makesomenoise"),
        **{name: _version(name) for name in ("torch", "onnxruntime")},
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "usable_cores": usable_cores(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


@dataclass(frozen=True, slots=True)
class LanguageSpeed:
    """What one process took.

    Attributes:
        seconds: length of the sounds.
        threads: of the engine.
        cores: that the process may use.
        device: where it computed.
        engine: that was asked for.
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
    engine: str
    load_seconds: float
    caption_seconds: float
    caption_tokens: int
    generate_seconds: float
    codes_per_second: float
    peak_memory_bytes: int


def measure_language_speed(
    model: str | Path,
    tokenizer: str | Path = "default",
    vocoder: str | Path = "default",
    device: str = "cpu",
    threads: int = 2,
    sampling: Sampling = GENERATING,
    seconds: float = 10.0,
    *,
    engine: str = "auto",
) -> LanguageSpeed:
    """Times a model in a fresh process.

    Args:
        model: see `AudioLanguageModel.load`.
        tokenizer: see `AudioLanguageModel.load`.
        vocoder: see `AudioLanguageModel.load`.
        device: see `AudioLanguageModel.load`.
        threads: see `on_threads`.
        sampling: how codes are drawn.
        seconds: length of the sounds that are described and made.
        engine: see `AudioLanguageModel.load`.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        models = (str(model), str(tokenizer), str(vocoder), device, engine)
        return pool.submit(_language_speed, models, threads, sampling, seconds, folder).result()


def _language_speed(
    models: tuple[str, ...], threads: int, sampling: Sampling, seconds: float, folder: str
) -> LanguageSpeed:
    if "torch" in models[-1]:
        import torch  # noqa: F401, PLC0415 - so that its threads are those that are asked for
    with on_threads(threads):
        return _timed_language(models, threads, sampling, seconds, Path(folder))


def _timed_language(
    models: tuple[str, ...], threads: int, sampling: Sampling, seconds: float, folder: Path
) -> LanguageSpeed:
    from makesomenoise.pipeline import AudioLanguageModel  # noqa: PLC0415 - brings all that a language model needs

    started = time.perf_counter()
    model = AudioLanguageModel.load(*models)
    loaded = time.perf_counter() - started
    rate, (device, engine) = model.tokenizer.sample_rate, models[-2:]
    sound = noise(seconds, rate)
    said = [""]

    def caption() -> None:
        said[0] = model.caption(sound)[0]

    def generate() -> None:
        made = model.generate("a dog barking", seconds, sampling=sampling)
        io.save(folder / "made.wav", made[0], rate)

    caption_seconds, generate_seconds = (median_seconds(call, warmups=1) for call in (caption, generate))
    return LanguageSpeed(
        seconds=seconds,
        threads=threads,
        cores=usable_cores(),
        device=device,
        engine=engine,
        load_seconds=loaded,
        caption_seconds=caption_seconds,
        caption_tokens=len(model.language.vocabulary.text(said[0])) + 1,
        generate_seconds=generate_seconds,
        codes_per_second=seconds * model.tokenizer.code_rate / generate_seconds,
        peak_memory_bytes=peak_resident_bytes(),
    )


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
