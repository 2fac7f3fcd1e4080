"""The trained part of a tokenizer: mel, encoder, quantizer and decoder as one module on single windows.

Knows neither vocoders nor streams: `AudioTokenizer` puts those around it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from makesomenoise import checkpoint, model_folder
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.tokenizer.config import (
    EmaConfig,
    FlowConfig,
    FsqConfig,
    RegressionConfig,
    TokenizerConfig,
    VariationalConfig,
)
from makesomenoise.tokenizer.decoders.base import Decoder, Reconstruction
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.decoders.regression import RegressionDecoder
from makesomenoise.tokenizer.decoding import Quality
from makesomenoise.tokenizer.encoder import Encoder
from makesomenoise.tokenizer.quantizers.base import Quantized, Quantizer
from makesomenoise.tokenizer.quantizers.ema import EmaQuantizer
from makesomenoise.tokenizer.quantizers.fsq import FsqQuantizer
from makesomenoise.tokenizer.quantizers.variational import VariationalQuantizer


@dataclass(frozen=True)
class TokenizerOutput:
    """What one pass of training examples yields.

    Attributes:
        mel: [B, M, 4N] normalised, what was to be reconstructed.
        reconstruction: what the decoder makes of it; none if it was not asked.
        quantized: the quantizer's result; its loss is the other part of the objective.
        latents: [B, D, N] before quantization.
    """

    mel: Tensor
    reconstruction: Reconstruction | None
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

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Reads a tokenizer's model folder, bundled model or Hub id.

        Raises:
            CheckpointError: if there is no such model, or if its weights and configuration do not match.
        """
        stored = checkpoint.load_model(model_folder.resolve(source), TokenizerConfig)
        network = cls(stored.config)
        checkpoint.load_into(network, stored.tensors(), origin=str(source))
        return network.eval()

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel [B, M, 4N] to codes [B, N]."""
        return self.quantizer.encode(self.encoder(self.config.scale.normalise(mel)))

    def decode(
        self,
        codes: Tensor,
        noise: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        quality: Quality = "fast",
    ) -> Tensor:
        """Codes [B, N] and noise [B, M, 4N] to log-mel [B, M, 4N]; the rest as `Decoder.decode` takes it."""
        latents = self.quantizer.decode(codes)
        return self.config.scale.restore(self.decoder.decode(latents, noise, steps, guidance, quality))

    def forward(
        self,
        waveform: Tensor,
        progress: float,
        generator: torch.Generator,
        frozen: bool = False,
        reconstruct: bool = True,
        weight: Tensor | None = None,
    ) -> TokenizerOutput:
        """The training path, which is `encode` and `decode` with gradients.

        Args:
            waveform: [B, S], S a multiple of the samples of a code.
            progress: share of the training that is done.
            generator: source of randomness.
            frozen: give the decoder the codes of `encode`, through which no gradient flows.
            reconstruct: ask the decoder, which is most of the work.
            weight: [B, 4N] of the frames in the decoder's loss, or none.
        """
        passed = self.forward_frozen(waveform) if frozen else self._forward(waveform, progress, generator)
        if not reconstruct:
            return passed
        made = self.decoder.reconstruct(passed.mel, passed.quantized.latents, generator, weight)
        return replace(passed, reconstruction=made)

    def forward_frozen(self, waveform: Tensor) -> TokenizerOutput:
        """Waveform [B, S] to the latents of its codes, without gradients and without the decoder."""
        return self.forward_frozen_mel(self._normalised(waveform))

    @torch.no_grad()
    def forward_frozen_mel(self, mel: Tensor) -> TokenizerOutput:
        """Normalised log-mel [B, M, 4N] to the latents of its codes; see `forward_frozen`."""
        latents = self.encoder(mel)
        with torch.autocast(mel.device.type, enabled=False):
            codes = self.quantizer.encode(latents.float())
            quantized = Quantized(self.quantizer.decode(codes), codes, mel.new_zeros(()))
        return TokenizerOutput(mel, None, quantized, latents)

    def _forward(self, waveform: Tensor, progress: float, generator: torch.Generator) -> TokenizerOutput:
        mel = self._normalised(waveform)
        latents = self.encoder(mel)
        # Distances to 1024 codes differ by less than bfloat16 resolves.
        with torch.autocast(waveform.device.type, enabled=False):
            quantized = self.quantizer(latents.float(), progress, generator)
        return TokenizerOutput(mel, None, quantized, latents)

    def _normalised(self, waveform: Tensor) -> Tensor:
        with torch.autocast(waveform.device.type, enabled=False):
            return self.config.scale.normalise(self.mel(waveform))


def build_quantizer(config: TokenizerConfig) -> Quantizer:
    """The quantizer that the configuration names."""
    dim = config.encoder.latent_dim
    match config.quantizer:
        case VariationalConfig():
            return VariationalQuantizer(config.quantizer, dim)
        case EmaConfig():
            return EmaQuantizer(config.quantizer, dim)
        case FsqConfig():
            return FsqQuantizer(config.quantizer, dim)


def build_decoder(config: TokenizerConfig) -> Decoder:
    """The decoder that the configuration names."""
    dim = config.encoder.latent_dim
    match config.decoder:
        case FlowConfig():
            return FlowDecoder(config.decoder, config.mel.n_mels, dim)
        case RegressionConfig():
            return RegressionDecoder(config.decoder, config.mel.n_mels, dim)
