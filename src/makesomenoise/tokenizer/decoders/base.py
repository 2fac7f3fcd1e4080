"""What every decoder is, and the standardised mel that all of them work in."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from makesomenoise.nn.across import mean_across
from makesomenoise.tokenizer.decoding import Quality

_LEAST_DEVIATION = 1e-3  # of a band that never sounds


@dataclass(frozen=True)
class Reconstruction:
    """What a decoder makes of a training example.

    Attributes:
        loss: the training objective, a scalar.
        mel: [B, M, 4N] the mel that it predicts.
    """

    loss: Tensor
    mel: Tensor


class Decoder(Protocol):
    """Quantized latents [B, D, N] to normalised log-mel [B, M, 4N]."""

    def reconstruct(
        self, mel: Tensor, latents: Tensor, generator: torch.Generator, weight: Tensor | None = None
    ) -> Reconstruction:
        """The training path.

        Args:
            mel: [B, M, 4N] normalised.
            latents: [B, D, N].
            generator: source of randomness.
            weight: [B, 4N] of the frames in the loss; none weighs all alike.
        """
        ...

    def decode(
        self,
        latents: Tensor,
        noise: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        quality: Quality = "fast",
    ) -> Tensor:
        """Decodes; what is none takes the default of the decoder.

        Args:
            latents: [B, D, N].
            noise: [B, M, 4N] standard normal.
            steps: number of steps.
            guidance: scale of the guidance; 1 is off.
            quality: `fast`, or `best` where time does not matter.

        Returns:
            [B, M, 4N].
        """
        ...


class BandStandardiser(nn.Module):
    """Base of decoders that work on [B, T, M] with every band at mean 0 and deviation 1.

    Low bands vary twice as much as high ones; noise of one deviation hides all of them alike only after this.

    Args:
        n_mels: mel bands M.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, n_mels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("deviation", torch.ones(n_mels))

    @torch.no_grad()
    def fit_bands(self, mel: Tensor) -> None:
        """Takes mean and deviation of each band from normalised log-mel [B, M, T], before a training from scratch."""
        self.mean.copy_(mel.mean(dim=(0, 2)))
        self.deviation.copy_(mel.std(dim=(0, 2)).clamp_min(_LEAST_DEVIATION))

    def standardise(self, mel: Tensor) -> Tensor:
        """Normalised log-mel [B, M, T] to standardised frames [B, T, M]."""
        return (mel.transpose(1, 2) - self.mean) / self.deviation

    def restore(self, frames: Tensor) -> Tensor:
        """Inverse of `standardise`."""
        return (frames * self.deviation + self.mean).transpose(1, 2)


def weighted_mean(errors: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of errors [B, T, M], a scalar, with a weight [B, T] for each frame of the whole batch, or with all alike."""
    if weight is None:
        return errors.mean()
    return (errors.mean(dim=-1) * weight).sum() / mean_across(weight.sum())
