"""Every clip through a system, once: what the questions of the evaluation share. Keeps log-mels, not waveforms."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from makesomenoise.data.clips import ClipStore
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.systems import System
from makesomenoise.metrics.spectral import stft_distance
from makesomenoise.nn.log_mel import LogMel

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
        embeddings: by ear, embeddings [F, E] of those clips that it judges.
        seconds: time spent.
    """

    name: str
    codebook_size: int | None = None
    mels: list[Tensor] = field(default_factory=list)
    stft_distances: list[float] = field(default_factory=list)
    bits: list[int | None] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    codes: list[Tensor] = field(default_factory=list)
    embeddings: dict[str, list[np.ndarray]] = field(default_factory=dict)
    seconds: float = 0.0


def render(system: System, store: ClipStore, mel: LogMel, ears: Sequence[EarJudge] = ()) -> Rendered:
    """Codes every clip of `store` and has the log-mel and the ears listen to the result."""
    started = time.monotonic()
    rendered = Rendered(system.name, system.codebook_size, embeddings={ear.name: [] for ear in ears})
    for number, clip in enumerate(store.clips):
        original = torch.from_numpy(store.waveform(number))
        coded = system.code(original)
        rendered.mels.append(_log_mel(mel, coded.waveform))
        rendered.stft_distances.append(stft_distance(original, coded.waveform))
        rendered.bits.append(coded.bits)
        rendered.samples.append(len(original))
        if coded.codes is not None:
            rendered.codes.append(coded.codes)
        for ear in ears:
            if clip.dataset in ear.judges:
                rendered.embeddings[ear.name].append(ear.listen(coded.waveform, store.sample_rate))
    seconds = time.monotonic() - started
    _log.info("%s: %d clips in %.0f s", system.name, len(store), seconds)
    return replace(rendered, seconds=seconds)


def originals(store: ClipStore, mel: LogMel) -> list[Tensor]:
    """Log-mels [M, T] of the clips as they are, float16."""
    return [_log_mel(mel, torch.from_numpy(store.waveform(number))) for number in range(len(store))]


@torch.inference_mode()
def _log_mel(mel: LogMel, waveform: Tensor) -> Tensor:
    return mel(waveform[None])[0].half()
