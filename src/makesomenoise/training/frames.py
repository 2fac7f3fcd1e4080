"""How much each frame counts in a decoder's loss: silence beyond a clip teaches little, and fills much of a crop."""

from torch import Tensor
from torch.nn import functional as F

from makesomenoise.tokenizer.config import FRAMES_PER_CODE

_SILENT_WEIGHT = 0.05
_REACH = 2  # codes on either side of a sound that count like it: a third of a second holds its onset and its decay


def frame_weights(sounding: Tensor) -> Tensor:
    """Weights [B, 4N] of the frames of N codes.

    Args:
        sounding: [B, N] bool, whether any part of a clip lies in a code.
    """
    near = F.max_pool1d(sounding[:, None].float(), 2 * _REACH + 1, stride=1, padding=_REACH)[:, 0]
    return (_SILENT_WEIGHT + (1.0 - _SILENT_WEIGHT) * near).repeat_interleave(FRAMES_PER_CODE, dim=1)
