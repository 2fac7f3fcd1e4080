"""The regression decoder of the VQ-VAE baseline: the latents decide every frame, nothing is drawn."""

import torch
from torch import Tensor

from makesomenoise.tokenizer.config import FRAMES_PER_CODE, RegressionConfig
from makesomenoise.tokenizer.decoders.base import BandStandardiser, Reconstruction, weighted_mean
from makesomenoise.tokenizer.decoders.network import DecoderNetwork
from makesomenoise.tokenizer.decoding import Quality, as_quality


class RegressionDecoder(BandStandardiser):
    """The flow decoder's network on silence at time 0, trained with the L1 distance.

    Args:
        config: settings.
        n_mels: mel bands M.
        latent_dim: latent channels D.
    """

    def __init__(self, config: RegressionConfig, n_mels: int, latent_dim: int):
        super().__init__(n_mels)
        self.n_mels = n_mels
        self.network = DecoderNetwork(config.network, n_mels, latent_dim)

    def reconstruct(
        self, mel: Tensor, latents: Tensor, generator: torch.Generator, weight: Tensor | None = None
    ) -> Reconstruction:
        """The mean absolute error of the log-mel."""
        del generator  # nothing is drawn
        predicted = self._predict(latents)
        return Reconstruction(weighted_mean((predicted - mel).abs().transpose(1, 2), weight), predicted)

    def decode(
        self,
        latents: Tensor,
        noise: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        quality: Quality = "fast",
    ) -> Tensor:
        """Predicts the mel; noise, steps, guidance and quality have no effect here; see `Decoder`."""
        del noise, steps, guidance
        as_quality(quality)
        return self._predict(latents)

    def _predict(self, latents: Tensor) -> Tensor:
        batch, _, length = latents.shape
        silence = latents.new_zeros(batch, FRAMES_PER_CODE * length, self.n_mels)
        condition = self.network.condition(latents.transpose(1, 2))
        return self.restore(self.network(silence, condition, latents.new_zeros(batch)))
