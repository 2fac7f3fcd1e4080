"""The trained part of a tokenizer: mel, encoder, quantizer and decoder as one module on single windows.

Knows neither vocoders nor streams: `AudioTokenizer` puts those around it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from makesomenoise.audio.mel import LogMel
from makesomenoise.tokenizer.config import TokenizerConfig, build_decoder, build_quantizer
from makesomenoise.tokenizer.encoder import Encoder
from makesomenoise.tokenizer.quantizers.base import Quantized


@dataclass(frozen=True)
class Losses:
    """What one training step yields.

    Attributes:
        reconstruction: the decoder's loss, scalar.
        quantized: the quantizer's result; its loss is the other part of the objective.
        latents: [B, D, N] before quantization.
    """

    reconstruction: Tensor
    quantized: Quantized
    latents: Tensor


class TokenizerNetwork(nn.Module):
    """Log-mel to codes, and codes to log-mel.

    Args:
        config: settings.
    """

    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = config
        self.mel = LogMel(config.mel)
        self.encoder = Encoder(config.encoder, config.mel.n_mels)
        self.quantizer = build_quantizer(config)
        self.decoder = build_decoder(config)

    def normalise(self, mel: Tensor) -> Tensor:
        """Log-mel to the range the networks work in."""
        scale = self.config.scale
        return (mel.clamp_min(scale.floor) - scale.mean) / scale.deviation

    def restore(self, mel: Tensor) -> Tensor:
        """Inverse of `normalise`, never below its floor."""
        scale = self.config.scale
        return (mel * scale.deviation + scale.mean).clamp_min(scale.floor)

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, 4N] to codes [B, N]."""
        return self.quantizer.encode(self.encoder(self.normalise(mel)))

    def decode(self, codes: Tensor, noise: Tensor, steps: int | None, guidance: float | None) -> Tensor:
        """Codes [B, N] and noise [B, M, 4N] to log-mel [B, M, 4N]."""
        return self.restore(self.decoder.decode(self.quantizer.decode(codes), noise, steps, guidance))

    def forward(self, waveform: Tensor, progress: float, generator: torch.Generator) -> Losses:
        """The training path, which is `encode` and `decode` with gradients.

        Args:
            waveform: [B, S], S a multiple of the samples of a code.
            progress: share of the training that is done.
            generator: source of randomness.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            mel = self.normalise(self.mel(waveform))
        latents = self.encoder(mel)
        # Distances to 1024 codes differ by less than bfloat16 resolves.
        with torch.autocast(waveform.device.type, enabled=False):
            quantized = self.quantizer(latents.float(), progress, generator)
        return Losses(self.decoder.loss(mel, quantized.latents, generator), quantized, latents)
