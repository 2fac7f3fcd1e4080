"""How loud a sound is, and the same sound as loud as others: made sounds come as soft as any recording."""

import numpy as np

USUAL_DB = -20.0
_WINDOW_SECONDS = 0.4  # as the momentary loudness of EBU R 128, here without its weighting of frequencies
_HOPS = 4
_MOST_GAIN_DB = 40.0  # what is softer yet is silence, which stays soft
_PEAK = 0.95
_FLOOR = 1e-10
_FADE_SECONDS = 0.01


def level_db(waveform: np.ndarray, sample_rate: int) -> float:
    """The root mean square level of the loudest 0.4 s, dB of full scale; -100 at least.

    Args:
        waveform: [S] in [-1, 1], S > 0; all of it counts where it is shorter.
        sample_rate: Hz.
    """
    window = min(round(_WINDOW_SECONDS * sample_rate), len(waveform))
    total = np.concatenate(([0.0], np.cumsum(np.square(waveform, dtype=np.float64))))
    starts = np.arange(0, len(waveform) - window + 1, max(window // _HOPS, 1))
    powers = (total[starts + window] - total[starts]) / window
    return float(10.0 * np.log10(powers.max() + _FLOOR))


def levelled(waveform: np.ndarray, sample_rate: int, wanted_db: float = USUAL_DB) -> np.ndarray:
    """The sound at another level, as far as no sample exceeds 0.95 and nothing is raised by more than 40 dB.

    Args:
        waveform: [S] in [-1, 1].
        sample_rate: Hz.
        wanted_db: level of the loudest 0.4 s, see `level_db`.
    """
    if not len(waveform):
        return waveform
    gain_db = min(wanted_db - level_db(waveform, sample_rate), _MOST_GAIN_DB)
    peak = float(np.abs(waveform).max())
    return waveform * np.float32(min(10.0 ** (gain_db / 20.0), _PEAK / max(peak, _FLOOR)))


class RunningLevel:
    """Levels a sound of which the end is not there yet: as loud as wanted so far, and softer when it gets louder.

    Args:
        sample_rate: Hz.
        wanted_db: level of the loudest 0.4 s, see `level_db`.
    """

    def __init__(self, sample_rate: int, wanted_db: float = USUAL_DB):
        self._sample_rate, self._wanted_db = sample_rate, wanted_db
        self._gain = 10.0 ** (_MOST_GAIN_DB / 20.0)

    def after(self, piece: np.ndarray) -> np.ndarray:
        """The next piece [s], levelled; s > 0."""
        gain_db = self._wanted_db - level_db(piece, self._sample_rate)
        peak = float(np.abs(piece).max())
        before, self._gain = self._gain, min(self._gain, 10.0 ** (gain_db / 20.0), _PEAK / max(peak, _FLOOR))
        ramp = np.full(len(piece), self._gain, np.float32)
        if before != 10.0 ** (_MOST_GAIN_DB / 20.0):  # the first piece has none to come from
            faded = min(round(_FADE_SECONDS * self._sample_rate), len(piece))
            ramp[:faded] = np.linspace(before, self._gain, faded)
        return np.clip(piece * ramp, -1.0, 1.0)
