"""Finite scalar quantization (Mentzer et al. 2024): each of a few channels is rounded to a few levels.

vector-quantize-pytorch does the work, behind our protocol; the codebook is implicit and never collapses.
"""

import torch
from torch import Tensor, nn

from makesomenoise.tokenizer.config import FsqConfig
from makesomenoise.tokenizer.quantizers.base import Quantized


class FsqQuantizer(nn.Module):
    """See the module's text.

    Args:
        config: settings.
        dim: latent channels D.
    """

    def __init__(self, config: FsqConfig, dim: int):
        from vector_quantize_pytorch import FSQ  # noqa: PLC0415 - slow to import, and needed here alone

        super().__init__()
        self.codebook_size = config.codebook_size
        self.layer = FSQ(levels=list(config.levels), dim=dim, channel_first=True)

    def forward(self, latents: Tensor, progress: float, generator: torch.Generator) -> Quantized:
        """The training path; see `Quantizer`."""
        del progress, generator  # rounding neither anneals nor draws
        quantized, codes = self.layer(latents.float())
        return Quantized(quantized, codes.long(), latents.new_zeros(()))

    def encode(self, latents: Tensor) -> Tensor:
        """The rounded codes [B, N] of latents [B, D, N]."""
        return self.layer(latents.float())[1].long()

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, N] to latents [B, D, N]."""
        return self.layer.indices_to_codes(codes)

    def codebook(self) -> Tensor:
        """The latent of every code [K, D]."""
        codes = torch.arange(self.codebook_size, device=next(self.parameters()).device)
        return self.decode(codes[None])[0].T
