"""How fast: encoding and decoding as multiples of real time, beside public neural codecs in the same run.

The other codecs are built from their published configurations with random weights: speed does not depend on the values.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from makesomenoise.tokenizer.model import AudioTokenizer

_SAMPLE_RATE = 24_000


@dataclass(frozen=True, slots=True)
class Speed:
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
class Contender:
    """A codec to be timed: `encode` takes a waveform [1, S], `decode` takes what `encode` gave."""

    name: str
    bits_per_second: float
    encode: Callable[[Tensor], Any]
    decode: Callable[[Any], object]


def tokenizer_contender(name: str, tokenizer: AudioTokenizer) -> Contender:
    """Our tokenizer with its default decoding."""
    return Contender(name, tokenizer.bits_per_second, tokenizer.encode, tokenizer.decode)


def public_contenders() -> list[Contender]:
    """EnCodec 24 kHz at 1.5 kbit/s, DAC 24 kHz and Mimi, as built by transformers."""
    return [_encodec(), _dac(), _mimi()]


def measure_speed(
    contenders: list[Contender], seconds: float = 30.0, threads: int = 2, repeats: int = 3
) -> list[Speed]:
    """Times every contender on the same sound.

    Args:
        contenders: what to time.
        seconds: length of the sound.
        threads: for torch.
        repeats: the median of so many runs counts, after one run on a tenth of the sound to warm up.
    """
    sound = 0.1 * torch.randn(1, int(seconds * _SAMPLE_RATE), generator=torch.Generator().manual_seed(0))
    with _threads(threads), torch.inference_mode():
        return [_timed(contender, sound, repeats) for contender in contenders]


def _timed(contender: Contender, sound: Tensor, repeats: int) -> Speed:
    seconds = sound.shape[1] / _SAMPLE_RATE
    contender.decode(contender.encode(sound[:, : sound.shape[1] // 10]))
    codes = contender.encode(sound)
    return Speed(
        contender.name,
        contender.bits_per_second,
        seconds / _median_seconds(lambda: contender.encode(sound), repeats),
        seconds / _median_seconds(lambda: contender.decode(codes), repeats),
    )


def _median_seconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _encodec() -> Contender:
    from transformers import EncodecConfig, EncodecModel  # noqa: PLC0415 - heavy, and only this question needs it

    model: Any = EncodecModel(EncodecConfig()).eval()
    return Contender(
        "EnCodec 24 kHz",
        1500.0,
        lambda sound: model.encode(sound[:, None], bandwidth=1.5).audio_codes,
        lambda codes: model.decode(codes, [None]).audio_values,
    )


def _dac() -> Contender:
    from transformers import DacConfig, DacModel  # noqa: PLC0415 - heavy, and only this question needs it

    # The authors' 24 kHz model: a hop of 320 samples, 32 codebooks; transformers' own default is the 16 kHz model.
    config = DacConfig(sampling_rate=_SAMPLE_RATE, downsampling_ratios=[2, 4, 5, 8], n_codebooks=32)
    model: Any = DacModel(config).eval()
    return Contender(
        "DAC 24 kHz",
        24_000.0,
        lambda sound: model.encode(sound[:, None]).audio_codes,
        lambda codes: model.decode(audio_codes=codes).audio_values,
    )


def _mimi() -> Contender:
    from transformers import MimiConfig, MimiModel  # noqa: PLC0415 - heavy, and only this question needs it

    model: Any = MimiModel(MimiConfig()).eval()
    return Contender(
        "Mimi",
        1100.0,
        lambda sound: model.encode(sound[:, None], num_quantizers=8).audio_codes,
        lambda codes: model.decode(codes).audio_values,
    )
