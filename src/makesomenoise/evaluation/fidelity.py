"""How close the decoded sound is to the original, and what it cost: distances, real bitrate, use of the codebook."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from makesomenoise.evaluation.rendering import Rendered
from makesomenoise.metrics.codebook import perplexity, usage
from makesomenoise.metrics.spectral import log_mel_distance


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Distances are means over clips.

    Attributes:
        clips: how many.
        seconds: their length together.
        log_mel_distance: mean absolute difference of log-mels.
        stft_distance: multi-resolution STFT distance.
        bits_per_second: coded bits over length, without container; None where nothing was coded.
        perplexity: of the codes, 1 to K; None where there are none.
        codebook_usage: share of the codebook that occurs; None where there are no codes.
    """

    clips: int
    seconds: float
    log_mel_distance: float
    stft_distance: float
    bits_per_second: float | None
    perplexity: float | None
    codebook_usage: float | None


def fidelity(originals: Sequence[Tensor], rendered: Rendered, sample_rate: int, numbers: Sequence[int]) -> Fidelity:
    """Compares decoded clips with the originals.

    Args:
        originals: log-mel [M, T] of each clip.
        rendered: the same clips after a system.
        sample_rate: of the waveforms, Hz.
        numbers: the clips to take.
    """
    seconds = sum(rendered.samples[i] for i in numbers) / sample_rate
    bits = [size for i in numbers if (size := rendered.bits[i]) is not None]
    distances = [log_mel_distance(originals[i].float(), rendered.mels[i].float()) for i in numbers]
    codes = torch.cat([rendered.codes[i] for i in numbers]) if rendered.codes else None
    size = rendered.codebook_size
    return Fidelity(
        clips=len(numbers),
        seconds=seconds,
        log_mel_distance=float(np.mean(distances)),
        stft_distance=float(np.mean([rendered.stft_distances[i] for i in numbers])),
        bits_per_second=sum(bits) / seconds if bits else None,
        perplexity=perplexity(codes, size) if codes is not None and size else None,
        codebook_usage=usage(codes, size) if codes is not None and size else None,
    )
