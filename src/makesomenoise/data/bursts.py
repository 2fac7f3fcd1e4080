"""Where a waveform sounds, and cutting out of it what a scene is put together from; knows no labels."""

import numpy as np

_FRAME_SECONDS = 0.01
_FLOOR_DB = -65.0  # below this nothing is heard
_RANGE_DB = 45.0  # nor this far below the loudest place
_BURST_DB = 24.0  # a burst is over when it has fallen this far
_DIP_DB = 9.0  # a fall and a rise again by this much is a second burst
_GAP_FRAMES = 4
_LONGEST_BURST, _SHORTEST_BURST = 150, 4  # frames
_FADE_SECONDS = 0.008


def decibels(waveform: np.ndarray) -> float:
    """Root mean square level, dB of full scale."""
    return float(10.0 * np.log10(np.mean(np.square(waveform, dtype=np.float64)) + 1e-10)) if len(waveform) else -100.0


def sounding(waveform: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Where the first and the last audible sound are, seconds; the whole clip where nothing is.

    Args:
        waveform: [S].
        sample_rate: Hz.
    """
    levels = _levels(waveform, sample_rate)
    loud = np.flatnonzero(levels > max(levels.max() - _RANGE_DB, _FLOOR_DB))
    seconds = len(waveform) / sample_rate
    if not len(loud):
        return 0.0, seconds
    return float(loud[0] * _FRAME_SECONDS), min(float((loud[-1] + 1) * _FRAME_SECONDS), seconds)


def burst(waveform: np.ndarray, sample_rate: int) -> np.ndarray | None:
    """The loudest single burst [s], or nothing where the sound does not come in clear bursts.

    A burst stands alone between quieter places, lasts at most a second and a half, and rises only once, so that whoever
    hears it twice hears it twice.

    Args:
        waveform: [S].
        sample_rate: Hz.
    """
    levels = _levels(waveform, sample_rate)
    peak = int(levels.argmax())
    loud = levels > max(levels[peak] - _BURST_DB, _FLOOR_DB)
    first, last = _reach(loud[:peak][::-1]), _reach(loud[peak + 1 :])
    first, last = peak - first, peak + 1 + last
    if not _SHORTEST_BURST <= last - first <= _LONGEST_BURST or _rises(levels[first:last]) != 1:
        return None
    size = round(_FRAME_SECONDS * sample_rate)
    return faded(waveform[max(first - 1, 0) * size : (last + 3) * size], sample_rate)


def stretch(waveform: np.ndarray, sample_rate: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A piece [s] of what sounds, `seconds` long or as long as there is.

    Args:
        waveform: [S].
        sample_rate: Hz.
        seconds: length that is wanted.
        rng: chooses the place; of three, the loudest is taken.
    """
    start, end = sounding(waveform, sample_rate)
    whole = waveform[round(start * sample_rate) : round(end * sample_rate)]
    size = min(round(seconds * sample_rate), len(whole))
    places = rng.integers(0, len(whole) - size + 1, 3)
    pieces = [whole[place : place + size] for place in places]
    return faded(max(pieces, key=decibels), sample_rate)


def faded(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """A copy that begins and ends without a click."""
    size = min(round(_FADE_SECONDS * sample_rate), len(waveform) // 2)
    ramp = np.linspace(0.0, 1.0, size, endpoint=False, dtype=np.float32)
    result = waveform.astype(np.float32)
    result[:size] *= ramp
    result[len(result) - size :] *= ramp[::-1]
    return result


def rises(waveform: np.ndarray, sample_rate: int) -> int:
    """How often the level rises to near its peak after it had fallen.

    Args:
        waveform: [S].
        sample_rate: Hz.
    """
    return _rises(_levels(waveform, sample_rate))


def _levels(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level of each hundredth of a second, dB; at least one."""
    size = round(_FRAME_SECONDS * sample_rate)
    padded = np.pad(waveform.astype(np.float32), (0, -len(waveform) % size or (0 if len(waveform) else size)))
    return 10.0 * np.log10(np.square(padded).reshape(-1, size).mean(1) + 1e-10)


def _reach(loud: np.ndarray) -> int:
    """Number of frames until the first gap."""
    gap = 0
    for number, is_loud in enumerate(loud):
        gap = 0 if is_loud else gap + 1
        if gap == _GAP_FRAMES:
            return number + 1 - gap
    return len(loud) - gap


def _rises(levels: np.ndarray) -> int:
    smooth = np.convolve(np.pad(levels, 2, "edge"), np.full(5, 0.2), "valid")
    near, rises, low = smooth.max() - _DIP_DB, 0, -np.inf
    armed = True
    for level in smooth:
        if armed and level > near:
            rises, armed, low = rises + 1, False, level
        elif not armed:
            low = min(low, level)
            armed = level < near - _DIP_DB / 3
    return rises
