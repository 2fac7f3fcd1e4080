"""Arrays of whatever type, shape and rate to waveforms, where there is one way to take them; else a sentence.

Integers are taken at their full scale (16-bit ones are divided by 32768), lists and NumPy arrays become tensors,
channels are averaged. What is given up is said in one warning.
"""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from makesomenoise.audio.errors import AudioWarning
from makesomenoise.audio.reader import resampled
from makesomenoise.audio.scale import scale_of
from makesomenoise.errors import RequestError

Array = Tensor | np.ndarray | Sequence

_FULL_SCALE = {torch.int8: 2.0**7, torch.int16: 2.0**15, torch.int32: 2.0**31}
_MOST_CHANNELS = 8
_FEWEST_SAMPLES = 16  # in each channel, for each channel: a shorter axis is hardly that of time
_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000


def batch(waveform: Array) -> Tensor:
    """Waveforms [B, S] in float32 of what is [B, S], [S], [S, C] as soundfile reads it, or [B, C, S].

    Raises:
        RequestError: if its type, shape or values are none of sound.
    """
    samples = piece(waveform)
    shape = list(samples.shape)
    if samples.dim() == 1:
        samples = samples[None]
    elif samples.dim() == 3 and 0 < samples.shape[1] <= _MOST_CHANNELS:  # noqa: PLR2004 - [B, C, S]
        samples = _mixed(samples, 1)
    elif samples.dim() == 2 and _is_time_first(samples):  # noqa: PLR2004 - [S, C]
        samples = _mixed(samples, 1)[None]
    if samples.dim() != 2 or not samples.numel():  # noqa: PLR2004 - [B, S]
        raise RequestError(f"Expected a waveform [B, S] with S > 0, got shape {shape}.")
    if not torch.isfinite(samples).all():
        raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
    return _in_range(samples)


def single(waveform: Array) -> Tensor:
    """A waveform [S] in float32 of what is [S], [S, C] or [C, S]; errors are those of `batch`."""
    samples = piece(waveform)
    shape = list(samples.shape)
    if samples.dim() == 2:  # noqa: PLR2004 - with channels
        if _is_time_first(samples):
            samples = _mixed(samples, 1)
        elif _is_time_first(samples.T):
            samples = _mixed(samples, 0)
    if samples.dim() != 1 or not len(samples) or not torch.isfinite(samples).all():
        raise RequestError(f"Expected a finite waveform [S] with S > 0; got one of shape {shape}.")
    return _in_range(samples[None])[0]


def piece(waveform: Array) -> Tensor:
    """Samples of any shape in float32, integers at their full scale; of a piece of a stream nothing more is known.

    Raises:
        RequestError: if its type is none of samples.
    """
    samples = _tensor(waveform, "a waveform")
    if samples.dtype == torch.uint8:
        return (samples.float() - 128.0) / 128.0
    if samples.dtype in _FULL_SCALE:
        return samples.float() / _FULL_SCALE[samples.dtype]
    if samples.is_floating_point() or (samples.dtype == torch.int64 and not bool((samples.abs() > 1).any())):
        return samples.float()
    raise RequestError(
        f"Cannot tell the scale of {samples.dtype} samples: give floats in [-1, 1], or 16- or 32-bit integers."
    )


def at_rate(waveform: Tensor, sample_rate: int, wanted: int) -> Tensor:
    """Resamples a waveform [S] as a file of its rate is.

    Args:
        waveform: on any device.
        sample_rate: of it, Hz.
        wanted: of the result, Hz.

    Raises:
        RequestError: if the rate is none of sound.
    """
    if not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE or sample_rate != int(sample_rate):
        raise RequestError(f"Expected a whole sample rate of {_LOWEST_RATE} to {_HIGHEST_RATE} Hz, got {sample_rate}.")
    if sample_rate == wanted:
        return waveform
    blocks = _chunked(waveform.detach().cpu().numpy(), 10 * int(sample_rate))
    return torch.from_numpy(np.concatenate(list(resampled(blocks, int(sample_rate), wanted)))).to(waveform.device)


def integers(codes: Array) -> Tensor:
    """Codes as a tensor, of lists and NumPy arrays too; their values are for others to check.

    Raises:
        RequestError: if they are no numbers, or rows of different lengths.
    """
    return _tensor(codes, "codes")


def _tensor(values: Array, what: str) -> Tensor:
    if isinstance(values, Tensor):
        return values
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(array.dtype)
        if array.dtype.itemsize > 8:  # noqa: PLR2004 - long doubles, which torch does not know
            array = array.astype(np.float64)
        return torch.from_numpy(np.ascontiguousarray(array, array.dtype.newbyteorder("=")).copy())
    except (TypeError, ValueError):
        raise RequestError(f"Expected {what} as numbers in rows of one length, got {type(values).__name__}.") from None


def _in_range(samples: Tensor) -> Tensor:
    """Rows [B, S] each in a scale of its own, so that no clip's codes depend on another's."""
    peaks = samples.abs().amax(dim=1).tolist()
    scales = [scale_of(peak) for peak in peaks]
    if all(scale == 1.0 for scale in scales):
        return samples
    peak, scale = max(zip(peaks, scales, strict=True), key=lambda pair: pair[0])
    if scale is None:
        raise RequestError(f"The waveform has a peak of {peak:g}, where full scale is 1.")
    _warn(f"The waveform has a peak of {peak:g}, far beyond full scale, which is 1: it is divided by {1 / scale:g}.")
    return samples * samples.new_tensor([[scale] for scale in scales])


def _is_time_first(samples: Tensor) -> bool:
    length, channels = samples.shape
    return 0 < channels <= _MOST_CHANNELS and length >= _FEWEST_SAMPLES * channels * _MOST_CHANNELS


def _mixed(samples: Tensor, axis: int) -> Tensor:
    if samples.shape[axis] > 1:
        _warn(f"The waveform {list(samples.shape)} is taken for {samples.shape[axis]} channels, which are averaged.")
    return samples.mean(dim=axis)


def _warn(sentence: str) -> None:
    warnings.warn(AudioWarning(sentence), stacklevel=5)


def _chunked(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[first : first + size] for first in range(0, len(samples), size))
