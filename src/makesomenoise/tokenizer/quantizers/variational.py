"""Variational quantization: a categorical posterior over the codebook, learned by an evidence lower bound.

After SQ-VAE (Takida et al. 2022). Latents z and codes e_k lie on the unit sphere. The posterior is

    q(k | z) = softmax_k(-precision / 2 |z - e_k|^2)                                        (their eq. 7)

with one learned precision; the prior over codes is uniform. Beside the reconstruction, the bound then holds

    KL = E_q[ precision / 2 |z - e_k|^2 ] + sum_k q_k log q_k + log K                      (their eq. 10)

whose first term pulls latents and codes together and whose second keeps the posterior wide while the decoder can bear
it; as the decoder improves the precision grows and the quantizer grows deterministic by itself. The entropy part of the
KL is the information of the code about the sound plus KL(mean of q | uniform), the unevenness of the codebook's use
(Hoffman and Johnson 2016); that last part may be weighted more, which keeps the codebook in use while the encoder is
young. In training the code is a Gumbel-softmax sample (Jang et al. 2017): one code goes forward, the relaxed sample
carries the gradient, at a temperature that falls from `temperature_start` to `temperature_end`. At inference it is the
likeliest code.
"""

import math

import torch
from torch import Tensor, nn

from makesomenoise.nn.across import mean_across, own_rows
from makesomenoise.tokenizer.config import VariationalConfig
from makesomenoise.tokenizer.quantizers.base import Quantized, on_sphere


class VariationalQuantizer(nn.Module):
    """See the module's text.

    Args:
        config: settings.
        dim: latent channels D.
    """

    def __init__(self, config: VariationalConfig, dim: int):
        super().__init__()
        self.config = config
        self.codebook_size = config.codebook_size
        self.embeddings = nn.Parameter(torch.randn(config.codebook_size, dim))
        self.log_precision = nn.Parameter(torch.tensor(math.log(config.precision_start)))

    def forward(self, latents: Tensor, progress: float, generator: torch.Generator) -> Quantized:
        """The training path; see `Quantizer`."""
        codebook = self.codebook()
        logits = self._logits(latents)
        temperature = self._temperature(progress)
        relaxed = torch.softmax((logits + _gumbel(logits, generator)) / temperature, dim=-1)
        codes = relaxed.argmax(dim=-1)
        soft = relaxed @ codebook
        sampled = soft + (codebook[codes] - soft).detach()
        return Quantized(sampled.transpose(1, 2), codes, self._loss(logits))

    def encode(self, latents: Tensor) -> Tensor:
        """The likeliest codes [B, N] of latents [B, D, N]."""
        return self._logits(latents).argmax(dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, N] to latents [B, D, N]."""
        return self.codebook()[codes].transpose(1, 2)

    def codebook(self) -> Tensor:
        """The latent of every code [K, D]."""
        return on_sphere(self.embeddings)

    def _logits(self, latents: Tensor) -> Tensor:
        z = nn.functional.normalize(latents.float().transpose(1, 2), dim=-1)
        codebook = nn.functional.normalize(self.embeddings, dim=-1)
        # On the unit sphere |z - e|^2 = 2 - 2 <z, e>: the distance needs one product; its constant is kept for the KL.
        return self.log_precision.exp() * (z @ codebook.T - 1.0)

    def _loss(self, logits: Tensor) -> Tensor:
        log_q = torch.log_softmax(logits, dim=-1)
        q = log_q.exp()
        distance, negative_entropy = -(q * logits).sum(-1), (q * log_q).sum(-1)
        kl = (distance + negative_entropy).mean() + math.log(self.codebook_size)
        usage = math.log(self.codebook_size) - torch.special.entr(mean_across(q.flatten(0, -2).mean(0))).sum()
        return self.config.kl_weight * kl + self.config.usage_weight * usage

    def _temperature(self, progress: float) -> float:
        start, end = self.config.temperature_start, self.config.temperature_end
        return start * (end / start) ** min(max(progress, 0.0), 1.0)


def _gumbel(like: Tensor, generator: torch.Generator) -> Tensor:
    def draw(count: int) -> Tensor:
        return torch.rand((count, *like.shape[1:]), generator=generator, device=like.device, dtype=like.dtype)

    uniform = own_rows(draw, len(like))
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1.0 - 1e-7)))
