"""How loud a number is: full scale is 1, and values far beyond it were written in another scale."""

_HEADROOM = 8.0  # 18 dB: sound that is louder than full scale, as mixes are, and meant to be
_INTEGER_BITS = (15, 23, 31)
_INTEGER_LEAST = 256.0


def scale_of(peak: float) -> float | None:
    """What samples of this peak are multiplied by to be in [-1, 1]; none if no sound has such values.

    Up to 8 they stay as they are. From 256 on they are taken for 16-, 24- or 32-bit integers. What lies between is
    made as loud as full scale.
    """
    if peak <= _HEADROOM:
        return 1.0
    if peak < _INTEGER_LEAST:
        return 1.0 / peak
    return next((2.0**-bits for bits in _INTEGER_BITS if peak <= 2.0**bits), None)
