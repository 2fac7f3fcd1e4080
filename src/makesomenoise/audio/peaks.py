"""Which bands of a log-mel stand out of their surroundings: partials and the contour of pitch, not level or outline."""

from torch import Tensor, nn, softmax

_REACH = 4
_SHARPNESS = 6.0


def peak_shares(mel: Tensor) -> Tensor:
    """The share of each band in what stands out of its frame.

    Levels over the mean of the nine bands around are compared, over three frames, so that neither outline nor grain
    counts: noise and silence give shares that are nearly even, a tone gives most of its frame to its partials.

    Args:
        mel: [B, M, T] log-mel, in units of about three nepers.

    Returns:
        [B, M, T], which sum to 1 over the bands.
    """
    x = mel[:, None]
    wide = nn.functional.pad(x, (0, 0, _REACH, _REACH), mode="replicate")
    over = x - nn.functional.avg_pool2d(wide, (2 * _REACH + 1, 1), stride=1)
    over = nn.functional.avg_pool2d(over, (1, 3), stride=1, padding=(0, 1))[:, 0]
    return softmax(_SHARPNESS * over, dim=1)
