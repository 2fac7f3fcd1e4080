"""Arrays of whatever type, shape and rate to waveforms, where there is one way to take them; else a sentence.

Integers are taken at their full scale (16-bit ones are divided by 32768), lists and tensors become NumPy arrays,
channels are averaged. What is given up is said in one warning.
"""

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from makesomenoise.audio.errors import AudioWarning
from makesomenoise.audio.reader import resampled
from makesomenoise.audio.scale import scale_of
from makesomenoise.errors import RequestError

Array = ArrayLike  # which tensors are too

_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
_MOST_CHANNELS = 8
_FEWEST_SAMPLES = 16  # in each channel, for each channel: a shorter axis is hardly that of time
_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000


def batch(waveform: Array) -> np.ndarray:
    """Waveforms [B, S] in float32 of what is [B, S], [S], [S, C] as soundfile reads it, or [B, C, S].

    Raises:
        RequestError: if its type, shape or values are none of sound.
    """
    samples = piece(waveform)
    shape = list(samples.shape)
    if samples.ndim == 1:
        samples = samples[None]
    elif samples.ndim == 3 and 0 < samples.shape[1] <= _MOST_CHANNELS:  # noqa: PLR2004 - [B, C, S]
        samples = _mixed(samples, 1)
    elif samples.ndim == 2 and _is_time_first(samples):  # noqa: PLR2004 - [S, C]
        samples = _mixed(samples, 1)[None]
    if samples.ndim != 2 or not samples.size:  # noqa: PLR2004 - [B, S]
        raise RequestError(f"Expected a waveform [B, S] with S > 0, got shape {shape}.")
    if not np.isfinite(samples).all():
        raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
    return _in_range(samples)


def single(waveform: Array) -> np.ndarray:
    """A waveform [S] in float32 of what is [S], [S, C] or [C, S]; errors are those of `batch`."""
    samples = piece(waveform)
    shape = list(samples.shape)
    if samples.ndim == 2:  # noqa: PLR2004 - with channels
        if _is_time_first(samples):
            samples = _mixed(samples, 1)
        elif _is_time_first(samples.T):
            samples = _mixed(samples, 0)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise RequestError(f"Expected a finite waveform [S] with S > 0; got one of shape {shape}.")
    return _in_range(samples[None])[0]


def piece(waveform: Array) -> np.ndarray:
    """Samples of any shape in float32, integers at their full scale; of a piece of a stream nothing more is known.

    Raises:
        RequestError: if its type is none of samples.
    """
    samples = _array(waveform, "a waveform")
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    if samples.dtype.name in _FULL_SCALE:
        return samples.astype(np.float32) / np.float32(_FULL_SCALE[samples.dtype.name])
    if samples.dtype.kind == "f" or (samples.dtype == np.int64 and not (np.abs(samples) > 1).any()):
        return samples.astype(np.float32)
    raise RequestError(
        f"Cannot tell the scale of {samples.dtype} samples: give floats in [-1, 1], or 16- or 32-bit integers."
    )


def at_rate(waveform: np.ndarray, sample_rate: int, wanted: int) -> np.ndarray:
    """Resamples a waveform [S] as a file of its rate is.

    Args:
        waveform: [S].
        sample_rate: of it, Hz.
        wanted: of the result, Hz.

    Raises:
        RequestError: if the rate is none of sound.
    """
    if not _LOWEST_RATE <= sample_rate <= _HIGHEST_RATE or sample_rate != int(sample_rate):
        raise RequestError(f"Expected a whole sample rate of {_LOWEST_RATE} to {_HIGHEST_RATE} Hz, got {sample_rate}.")
    if sample_rate == wanted:
        return waveform
    blocks = _chunked(waveform, 10 * int(sample_rate))
    return np.concatenate(list(resampled(blocks, int(sample_rate), wanted)))


def integers(codes: Array) -> np.ndarray:
    """Codes as an array, of lists and tensors too; their values are for others to check.

    Raises:
        RequestError: if they are no numbers, or rows of different lengths.
    """
    return _array(codes, "codes")


def _array(values: Array, what: str) -> np.ndarray:
    detach = getattr(values, "detach", None)
    if detach is not None:  # a tensor, wherever it lies; NumPy knows no bfloat16
        tensor = detach().cpu()
        values = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(array.dtype)
        return array.astype(np.float64) if array.dtype.itemsize > 8 else array  # noqa: PLR2004 - long doubles
    except (TypeError, ValueError):
        raise RequestError(f"Expected {what} as numbers in rows of one length, got {type(values).__name__}.") from None


def _in_range(samples: np.ndarray) -> np.ndarray:
    """Rows [B, S] each in a scale of its own, so that no clip's codes depend on another's."""
    peaks = np.abs(samples).max(axis=1).tolist()
    scales = [scale_of(peak) for peak in peaks]
    if all(scale == 1.0 for scale in scales):
        return samples
    peak, scale = max(zip(peaks, scales, strict=True), key=lambda pair: pair[0])
    if scale is None:
        raise RequestError(f"The waveform has a peak of {peak:g}, where full scale is 1.")
    _warn(f"The waveform has a peak of {peak:g}, far beyond full scale, which is 1: it is divided by {1 / scale:g}.")
    return samples * np.array([[scale] for scale in scales], np.float32)


def _is_time_first(samples: np.ndarray) -> bool:
    length, channels = samples.shape
    return 0 < channels <= _MOST_CHANNELS and length >= _FEWEST_SAMPLES * channels * _MOST_CHANNELS


def _mixed(samples: np.ndarray, axis: int) -> np.ndarray:
    if samples.shape[axis] > 1:
        _warn(f"The waveform {list(samples.shape)} is taken for {samples.shape[axis]} channels, which are averaged.")
    return samples.mean(axis=axis)


def _warn(sentence: str) -> None:
    warnings.warn(AudioWarning(sentence), stacklevel=5)


def _chunked(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[first : first + size] for first in range(0, len(samples), size))
