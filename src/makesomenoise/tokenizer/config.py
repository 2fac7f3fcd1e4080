"""The configuration of a whole tokenizer, and the parts it builds."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config, ModelConfig, Teacher
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


# The settings that decide on the codes, by the names they had when the first codes were made, and the values that go
# without saying. Both are part of the fingerprint of every code that was ever written: neither may change, whatever a
# setting is called or defaults to today. A setting that is added later is left out at the value that changes no code.
_CODE_SETTINGS: dict[str, Any] = {
    "mel": {"sample_rate": 24_000, "n_fft": 1024, "hop_samples": 256, "n_mels": 100},
    "scale": {"floor": -8.0, "mean": -1.6, "deviation": 3.0},
    "window": {"codes": 96, "context": 16},
    "encoder": {
        "scene": {"channels": [32, 64, 128, 192], "dim": 192, "layers": 2, "heads": 3},
        "frame_dim": 128,
        "frame_layers": 1,
        "dim": 256,
        "layers": 4,
        "heads": 4,
        "latent_dim": 32,
        "peaks": False,
    },
}
_QUANTIZER_SETTINGS: dict[str, dict[str, Any]] = {  # by kind; the first kind goes without saying
    "variational": {"codebook_size": 1024},
    "ema": {"codebook_size": 1024},
    "fsq": {"levels": [4, 4, 4, 4, 4]},
}
_FIRST_NAMES = {"scene": "semantic_branch", "peaks": "spectral_peak_input"}  # and what they are called today


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


class TokenizerConfig(ModelConfig):
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

    model_type: ClassVar[str] = "tokenizer"
    # A decoder may be trained further: what was encoded before stays readable, and a language model that learned the
    # codes keeps its worth.
    not_identifying: ClassVar[tuple[str, ...]] = ("decoder",)

    mel: MelConfig = MelConfig()
    scale: ScaleConfig = ScaleConfig()
    window: WindowConfig = WindowConfig()
    encoder: EncoderConfig = EncoderConfig()
    quantizer: QuantizerConfig = VariationalConfig()
    decoder: DecoderConfig = FlowConfig()
    teachers: tuple[Teacher, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What decides on the codes, where it is not as in the first models; see `_CODE_SETTINGS`."""
        values = self.model_dump(mode="json")
        counted = _not_silent(values, _CODE_SETTINGS)
        kind = self.quantizer.kind
        quantizer = _not_silent(values["quantizer"], _QUANTIZER_SETTINGS[kind])
        # The kind itself is told by the names of the weights.
        return counted | ({"quantizer": quantizer} if quantizer or kind != "variational" else {})

    @classmethod
    def from_unversioned(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The encoder's keys of today."""
        encoder = values.get("encoder")
        if not isinstance(encoder, dict):
            return values
        return values | {"encoder": {_FIRST_NAMES.get(name, name): value for name, value in encoder.items()}}

    @model_validator(mode="after")
    def _check(self) -> "TokenizerConfig":
        seam, decoding = self.window.seam_frames, self.decoder.window
        if seam % 2 or seam > 8 * min(decoding.context, decoding.codes):
            raise ValueError("seam_frames must be even and at most 8 times the decoder's window codes and context")
        return self


def _not_silent(values: dict[str, Any], silent: dict[str, Any]) -> dict[str, Any]:
    """The values that do not go without saying, by their first names."""
    found: dict[str, Any] = {}
    for name, expected in silent.items():
        value = values[_FIRST_NAMES.get(name, name)]
        if isinstance(expected, dict):
            value = _not_silent(value, expected)
        if value != ({} if isinstance(expected, dict) else expected):
            found[name] = value
    return found


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
