"""How loud a sound is, and the same sound as loud as others: made sounds come as soft as any recording."""

import numpy as np

USUAL_DB = -20.0
_WINDOW_SECONDS = 0.4  # as the momentary loudness of EBU R 128, here without its weighting of frequencies
_HOPS = 4
_MOST_GAIN_DB = 40.0  # what is softer yet is silence, which stays soft
_PEAK = 0.95
_FLOOR = 1e-10


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
