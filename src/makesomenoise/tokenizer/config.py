"""The configuration of a whole tokenizer, and the parts it builds."""

from typing import Annotated

from pydantic import Field, model_validator
from torch import Tensor

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config, Teacher
from makesomenoise.tokenizer.decoders.base import Decoder
from makesomenoise.tokenizer.decoders.flow import FlowConfig, FlowDecoder
from makesomenoise.tokenizer.decoders.regression import RegressionConfig, RegressionDecoder
from makesomenoise.tokenizer.encoder import EncoderConfig
from makesomenoise.tokenizer.quantizers.base import Quantizer
from makesomenoise.tokenizer.quantizers.ema import EmaConfig, EmaQuantizer
from makesomenoise.tokenizer.quantizers.fsq import FsqConfig, FsqQuantizer
from makesomenoise.tokenizer.quantizers.variational import VariationalConfig, VariationalQuantizer

QuantizerConfig = Annotated[VariationalConfig | EmaConfig | FsqConfig, Field(discriminator="kind")]
DecoderConfig = Annotated[FlowConfig | RegressionConfig, Field(discriminator="kind")]


class ScaleConfig(Config):
    """How the log-mel is brought to the range the networks work in.

    Attributes:
        floor: log-mel below this is raised to it; -8 is about the noise of 16-bit samples.
        mean: subtracted.
        deviation: divided by.
    """

    floor: float = -8.0
    mean: float = -1.6
    deviation: float = 3.0

    def normalise(self, mel: Tensor) -> Tensor:
        """Log-mel to the range the networks work in."""
        return (mel.clamp_min(self.floor) - self.mean) / self.deviation

    def restore(self, mel: Tensor) -> Tensor:
        """Inverse of `normalise`, never below its floor."""
        return (mel * self.deviation + self.mean).clamp_min(self.floor)


class WindowConfig(Config):
    """How long sounds are cut; part of the model, since the codes depend on it.

    Attributes:
        codes: codes that a window contributes.
        context: further codes on each side that it sees.
        seam_frames: mel frames over which neighbouring decoded windows are cross-faded; even, and at most 8 times the
            codes and the context of the decoder's windows.
    """

    codes: int = Field(default=96, ge=1)
    context: int = Field(default=16, ge=1)
    seam_frames: int = Field(default=16, ge=2)


class TokenizerConfig(Config):
    """Settings of a tokenizer.

    Attributes:
        mel: the log-mel.
        scale: its normalisation.
        window: how long sounds are cut.
        encoder: the encoder.
        quantizer: the quantizer; its `kind` chooses the class.
        decoder: the decoder; its `kind` chooses the class.
        teachers: networks trained elsewhere that had a part in its training; no evaluation asks them.
    """

    mel: MelConfig = MelConfig()
    scale: ScaleConfig = ScaleConfig()
    window: WindowConfig = WindowConfig()
    encoder: EncoderConfig = EncoderConfig()
    quantizer: QuantizerConfig = VariationalConfig()
    decoder: DecoderConfig = FlowConfig()
    teachers: tuple[Teacher, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "TokenizerConfig":
        seam, decoding = self.window.seam_frames, self.decoder.window
        if seam % 2 or seam > 8 * min(decoding.context, decoding.codes):
            raise ValueError("seam_frames must be even and at most 8 times the decoder's window codes and context")
        return self


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
