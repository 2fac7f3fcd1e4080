"""Samples as a user has them, to the waveforms that a tokenizer reads; knows no file and no network.

What is unambiguous is converted: precision, integers by the range of their type, channels, the sample rate. The rest is
refused in one sentence.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from makesomenoise.errors import RequestError

Samples = Tensor | np.ndarray | Sequence[Any]
_LOUDEST = 8.0  # 18 dB above full scale: mixes are louder than 1 at times, and integers of any width louder than this


def as_waveforms(samples: Samples, lengths: Sequence[int] | None, sample_rate: int, wanted_rate: int) -> list[Tensor]:
    """Samples to clips.

    Args:
        samples: [B, S] or [B, channels, S].
        lengths: of the clips, samples; none: all are whole.
        sample_rate: of the samples, Hz.
        wanted_rate: of the clips, Hz.

    Returns:
        B waveforms [s], float32.

    Raises:
        RequestError: if there is another shape or length, no sample, or one that no sound has.
    """
    waveforms = _mono(_floats(samples))
    sizes = [waveforms.shape[1]] * len(waveforms) if lengths is None else list(lengths)
    if len(sizes) != len(waveforms) or not all(0 < size <= waveforms.shape[1] for size in sizes):
        raise RequestError(f"Expected {len(waveforms)} lengths in 1..{waveforms.shape[1]}, got {sizes}.")
    if sample_rate <= 0:
        raise RequestError(f"Expected a sample rate above 0 Hz, got {sample_rate}.")
    clips = [clip[:size] for clip, size in zip(waveforms, sizes, strict=True)]
    loudest = max(float(clip.abs().max()) for clip in clips)
    if not np.isfinite(loudest):
        raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
    if loudest > _LOUDEST:
        raise RequestError(
            f"Expected samples in [-1, 1], got one of {loudest:g}: divide by full scale, or give an integer type."
        )
    return clips if sample_rate == wanted_rate else [_resampled(clip, sample_rate, wanted_rate) for clip in clips]


def _floats(samples: Samples) -> Tensor:
    try:
        values = samples if isinstance(samples, Tensor) else torch.as_tensor(np.asarray(samples))
    except (TypeError, ValueError):
        raise RequestError("Expected numbers [B, S]; give clips of several lengths padded, with `lengths`.") from None
    if values.is_floating_point():
        return values.float()
    if values.dtype == torch.bool or values.is_complex():
        raise RequestError(f"Expected samples as floats or integers, got {values.dtype}.")
    if values.dtype == torch.int64 and not isinstance(samples, Tensor | np.ndarray):
        return values.float()  # a list of plain numbers has no width
    bits = torch.iinfo(values.dtype).bits
    middle = 128.0 if values.dtype == torch.uint8 else 0.0
    return (values.float() - middle) / 2.0 ** (bits - 1)


def _mono(values: Tensor) -> Tensor:
    if values.dim() == 3:  # noqa: PLR2004 - [B, channels, S]
        values = values.mean(dim=1)
    if values.dim() != 2 or not len(values) or values.shape[1] == 0:  # noqa: PLR2004 - [B, S]
        raise RequestError(f"Expected a waveform [B, S] with S > 0, got shape {list(values.shape)}.")
    return values


def _resampled(clip: Tensor, sample_rate: int, wanted_rate: int) -> Tensor:
    found = soxr.resample(clip.cpu().numpy(), sample_rate, wanted_rate)
    return torch.from_numpy(found if len(found) else np.zeros(1, np.float32))
