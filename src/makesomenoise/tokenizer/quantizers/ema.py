"""The deterministic VQ-VAE quantizer (van den Oord et al. 2017), its codebook kept by moving averages.

vector-quantize-pytorch does the work, behind our protocol.
"""

import torch
from torch import Tensor, nn

from makesomenoise.tokenizer.config import EmaConfig
from makesomenoise.tokenizer.quantizers.base import Quantized, on_sphere


class EmaQuantizer(nn.Module):
    """See the module's text.

    Args:
        config: settings.
        dim: latent channels D.
    """

    def __init__(self, config: EmaConfig, dim: int):
        from vector_quantize_pytorch import VectorQuantize  # noqa: PLC0415 - slow to import, and needed here alone

        super().__init__()
        self.codebook_size = config.codebook_size
        self.layer = VectorQuantize(
            dim=dim,
            codebook_size=config.codebook_size,
            decay=config.decay,
            commitment_weight=config.commitment,
            threshold_ema_dead_code=config.revive_below,  # pyright: ignore[reportArgumentType] - it is a share of uses
            use_cosine_sim=True,
            channel_last=False,
        )

    def forward(self, latents: Tensor, progress: float, generator: torch.Generator) -> Quantized:
        """The training path; see `Quantizer`."""
        del progress  # nothing is annealed here
        # The library draws from the global generator when it revives codes; the fork keeps that reproducible and local.
        with torch.random.fork_rng(devices=[latents.device] if latents.is_cuda else []):
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator, device=generator.device)))
            quantized, codes, loss = self.layer(latents.float())
        # The library quantizes on the unit sphere.
        return Quantized(quantized * latents.shape[1] ** 0.5, codes, loss.sum())

    def encode(self, latents: Tensor) -> Tensor:
        """The nearest codes [B, N] of latents [B, D, N]."""
        return (latents.float().transpose(1, 2) @ self.codebook().T).argmax(dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, N] to latents [B, D, N]."""
        return self.codebook()[codes].transpose(1, 2)

    def codebook(self) -> Tensor:
        """The latent of every code [K, D]."""
        return on_sphere(self.layer.codebook)
