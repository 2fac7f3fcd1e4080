"""What every quantizer is: latents to codes and back."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quantized:
    """What a quantizer makes of latents in training.

    Attributes:
        latents: [B, D, N] what the decoder sees; gradients reach the encoder through it.
        codes: [B, N] int64 in [0, K).
        loss: scalar, the quantizer's own part of the objective.
    """

    latents: Tensor
    codes: Tensor
    loss: Tensor


def on_sphere(vectors: Tensor) -> Tensor:
    """Vectors [..., D] brought to length sqrt(D).

    Directions are what quantizers compare; at this length each channel has about variance 1, like the latents before
    quantization, and the layers that read them learn at their usual pace (at length 1 they hardly listened).
    """
    return torch.nn.functional.normalize(vectors, dim=-1) * vectors.shape[-1] ** 0.5


class Quantizer(Protocol):
    """Latents [B, D, N] to codes [B, N] in [0, K) and back."""

    codebook_size: int

    def __call__(self, latents: Tensor, progress: float, generator: torch.Generator) -> Quantized:
        """The training path.

        Args:
            latents: [B, D, N] float32.
            progress: how much of the training is done, 0 to 1; anneals what is annealed.
            generator: source of randomness.
        """
        ...

    def encode(self, latents: Tensor) -> Tensor:
        """Latents [B, D, N] to codes [B, N] int64: deterministic."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, N] to latents [B, D, N]."""
        ...

    def codebook(self) -> Tensor:
        """The latent of every code [K, D]."""
        ...
