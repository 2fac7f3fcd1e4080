"""Sound files to waveforms and back."""

import io as _io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

SAMPLE_RATE = 24_000


def load(source: str | Path | bytes | BinaryIO, sample_rate: int = SAMPLE_RATE) -> Tensor:
    """Reads a whole file as a mono float32 waveform [S]."""
    file = _io.BytesIO(source) if isinstance(source, bytes) else source
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return torch.from_numpy(mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate).astype(np.float32))
