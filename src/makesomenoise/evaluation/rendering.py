"""Every clip through a system, once: what the questions of the evaluation share. Keeps log-mels, not waveforms."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from makesomenoise.audio.mel import LogMel
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.systems import System
from makesomenoise.metrics.spectral import stft_distance

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendered:
    """Clips after a system; the lists go clip by clip.

    Attributes:
        name: of the system.
        codebook_size: K, or None where there are no codes.
        mels: log-mels [M, T], float16 to spare memory.
        stft_distances: multi-resolution STFT distance to the original.
        bits: coded size, or None where nothing was coded.
        samples: length.
        codes: code sequences [N]; empty where there are none.
        seconds: time spent.
    """

    name: str
    codebook_size: int | None = None
    mels: list[Tensor] = field(default_factory=list)
    stft_distances: list[float] = field(default_factory=list)
    bits: list[int | None] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    codes: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0


def render(system: System, store: ClipStore, mel: LogMel) -> Rendered:
    """Codes every clip of `store` and listens to the result."""
    started = time.monotonic()
    rendered = Rendered(system.name, system.codebook_size)
    for number in range(len(store)):
        original = torch.from_numpy(store.waveform(number))
        coded = system.code(original)
        rendered.mels.append(_log_mel(mel, coded.waveform))
        rendered.stft_distances.append(stft_distance(original, coded.waveform))
        rendered.bits.append(coded.bits)
        rendered.samples.append(len(original))
        if coded.codes is not None:
            rendered.codes.append(coded.codes)
    seconds = time.monotonic() - started
    _log.info("%s: %d clips in %.0f s", system.name, len(store), seconds)
    return replace(rendered, seconds=seconds)


def originals(store: ClipStore, mel: LogMel) -> list[Tensor]:
    """Log-mels [M, T] of the clips as they are, float16."""
    return [_log_mel(mel, torch.from_numpy(store.waveform(number))) for number in range(len(store))]


def by_dataset(clips: Sequence[Clip], least: int) -> dict[str, list[int]]:
    """Numbers of the clips of each dataset that has at least `least` of them."""
    numbers: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        numbers.setdefault(clip.dataset, []).append(number)
    return {dataset: found for dataset, found in sorted(numbers.items()) if len(found) >= least}


@torch.inference_mode()
def _log_mel(mel: LogMel, waveform: Tensor) -> Tensor:
    return mel(waveform[None])[0].half()
