"""Other takes of a clip, as another microphone at another distance might have heard it; what it is stays what it is."""

import numpy as np

_SPEED = 0.08
_GAIN_DB = 8.0
_TILT = 0.4
_CUT_SECONDS = 0.1
_PEAK = 0.95


def varied(waveform: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """The waveform [s] a little faster or slower, louder or softer, brighter or duller, and beginning later.

    Args:
        waveform: [S] in [-1, 1].
        sample_rate: Hz.
        rng: chooses how.
    """
    cut = int(rng.integers(0, min(round(_CUT_SECONDS * sample_rate), len(waveform) // 4) + 1))
    speed = float(rng.uniform(1.0 - _SPEED, 1.0 + _SPEED))
    places = np.arange(max(int((len(waveform) - cut) / speed), 1)) * speed
    changed = np.interp(places, np.arange(len(waveform) - cut), waveform[cut:])
    tilt = float(rng.uniform(-_TILT, _TILT))
    changed[1:] += tilt * changed[:-1]
    gain = 10.0 ** (float(rng.uniform(-_GAIN_DB, _GAIN_DB)) / 20.0) / (1.0 + abs(tilt))
    return (changed * min(gain, _PEAK / max(float(np.abs(changed).max()), 1e-4))).astype(np.float32)
