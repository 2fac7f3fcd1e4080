"""The configuration of a tokenizer and of all its parts; imports no network, so that reading one is cheap."""

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from pydantic import Field, model_validator

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config, ModelConfig, Teacher

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array", "np.ndarray", "Tensor")
FRAMES_PER_CODE = 4
CODES_PER_POSITION = 8  # positions of the semantic branch are so many codes apart


class SemanticBranchConfig(ModelConfig):
    """Settings of the semantic branch.

    Attributes:
        channels: widths of its convolutions.
        dim: channels of its result.
        layers: transformer blocks after the convolutions.
        heads: attention heads.
        teachers: networks trained elsewhere that taught it, while it is a model of its own.
    """

    model_type: ClassVar[str] = "semantic_branch"

    channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    dim: int = 192
    layers: int = 2
    heads: int = 3
    teachers: tuple[Teacher, ...] = ()


class EncoderConfig(Config):
    """Settings of the encoder.

    Attributes:
        semantic_branch: the semantic branch.
        frame_dim: channels at the rate of the frames.
        frame_layers: ConvNeXt blocks there.
        dim: channels at the rate of the codes.
        layers: transformer blocks there.
        heads: attention heads.
        latent_dim: latent channels D.
        spectral_peak_input: whether the blocks see the peaks of each frame by themselves.
    """

    semantic_branch: SemanticBranchConfig = SemanticBranchConfig()
    frame_dim: int = 128
    frame_layers: int = 1
    dim: int = 256
    layers: int = 4
    heads: int = 4
    latent_dim: int = 32
    spectral_peak_input: bool = False


class VariationalConfig(Config):
    """Settings of the variational quantizer.

    Attributes:
        codebook_size: number of codes K.
        precision_start: first value of the learned precision.
        temperature_start: of the Gumbel-softmax at the first step.
        temperature_end: at the last step.
        kl_weight: weight of the KL term, in units of the reconstruction loss per nat.
        usage_weight: further weight of the part of the KL that measures how unevenly the whole batch uses the codebook.
    """

    kind: Literal["variational"] = "variational"
    codebook_size: int = 1024
    precision_start: float = 50.0
    temperature_start: float = 1.0
    temperature_end: float = 0.3
    kl_weight: float = 0.001
    usage_weight: float = 0.5


class EmaConfig(Config):
    """Settings of the VQ-VAE quantizer.

    Attributes:
        codebook_size: number of codes K.
        decay: of the moving averages.
        commitment: weight of the term that pulls latents to their code.
        revive_below: a code whose moving count falls below this is moved onto a latent of the batch.
    """

    kind: Literal["ema"] = "ema"
    codebook_size: int = 1024
    decay: float = 0.98
    commitment: float = 0.25
    revive_below: float = 0.1


class FsqConfig(Config):
    """Settings of finite scalar quantization.

    Attributes:
        levels: number of values of each channel; their product is the number of codes K.
    """

    kind: Literal["fsq"] = "fsq"
    levels: tuple[int, ...] = (4, 4, 4, 4, 4)

    @property
    def codebook_size(self) -> int:
        """Number of codes K."""
        return math.prod(self.levels)


class DecodingWindow(Config):
    """How long sequences of codes are cut for decoding; nothing that decides on codes.

    What a window sees beyond its own codes is computed twice, so that long windows cost less.

    Attributes:
        codes: codes that a window contributes.
        context: further codes on each side that it sees.
    """

    codes: int = Field(default=240, ge=1)
    context: int = Field(default=16, ge=1)


class NetworkConfig(Config):
    """Settings of the decoder network.

    Attributes:
        frame_dim: channels at the rate of the frames.
        dim: channels at the rate of the codes.
        trunk_layers: blocks that read the latents.
        middle_layers: blocks of a step at the rate of the codes.
        frame_layers: blocks of a step at the rate of the frames, before and again after the middle.
        kernel: width of the convolutions at the rate of the frames, odd.
        trunk_kernel: their width at the rate of the codes, odd.
        expansion: hidden channels of a block, as a multiple of its channels.
    """

    frame_dim: int = 384
    dim: int = 512
    trunk_layers: int = 6
    middle_layers: int = 4
    frame_layers: int = 4
    kernel: int = 7
    trunk_kernel: int = 11
    expansion: int = 3


class FlowConfig(Config):
    """Settings of the flow decoder.

    Attributes:
        network: the network.
        window: how long sequences of codes are cut.
        residual_deviation: deviation of standardised mel around what its surroundings tell, for the Gaussian part.
        drop_condition: share of training examples whose latents are dropped.
        time_mean: mean of the logit of training times.
        time_deviation: its deviation.
        uniform_share: share of training times that are uniform.
        steps: number of jumps of quality `fast`.
        guidance: scale of its guidance, which the network was trained with; 1 is off.
        time_shift: below 1, the steps of both qualities crowd towards the data, where a sound gets its grain.
        best_steps: number of steps of quality `best`, two passes each.
        best_guidance: scale of its guidance.
        rescale: share by which the deviation of its guided predictions is set back to that of unguided ones.
    """

    kind: Literal["flow"] = "flow"
    network: NetworkConfig = NetworkConfig()
    window: DecodingWindow = DecodingWindow()
    residual_deviation: float = 0.5
    drop_condition: float = 0.12
    time_mean: float = -0.2
    time_deviation: float = 1.1
    uniform_share: float = 0.2
    steps: int = 4
    guidance: float = 2.0
    time_shift: float = 0.5
    best_steps: int = 12
    best_guidance: float = 2.0
    rescale: float = 0.7


class RegressionConfig(Config):
    """Settings of the regression decoder.

    Attributes:
        network: the network.
        window: how long sequences of codes are cut.
    """

    kind: Literal["regression"] = "regression"
    network: NetworkConfig = NetworkConfig()
    window: DecodingWindow = DecodingWindow()


QuantizerConfig = Annotated[VariationalConfig | EmaConfig | FsqConfig, Field(discriminator="kind")]
DecoderConfig = Annotated[FlowConfig | RegressionConfig, Field(discriminator="kind")]


# The settings that decide on the codes, by the names they had when the first codes were made, and the values that go
# without saying. Both are part of the fingerprint of every code that was ever written: neither may change, whatever a
# setting is called or defaults to today. A setting that is added later is left out at the value that changes no code.
_CODE_SETTINGS: dict[str, Any] = {
    "mel": {"sample_rate": 24_000, "n_fft": 1024, "hop_samples": 256, "n_mels": 100, "high_pass_hz": 0.0},
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

    def normalise(self, mel: Array) -> Array:
        """Log-mel, an array or a tensor, to the range the networks work in."""
        return (mel.clip(min=self.floor) - self.mean) / self.deviation

    def restore(self, mel: Array) -> Array:
        """Inverse of `normalise`, never below its floor."""
        return (mel * self.deviation + self.mean).clip(min=self.floor)


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
        teachers: networks trained elsewhere that had a part in its decoder's training; no evaluation asks them.
        code_teachers: those that taught its encoder what codes should tell; an evaluation that asks one says so.
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
    code_teachers: tuple[Teacher, ...] = ()

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
        value = values.get(_FIRST_NAMES.get(name, name), expected)
        if isinstance(expected, dict):
            value = _not_silent(value, expected)
        if value != ({} if isinstance(expected, dict) else expected):
            found[name] = value
    return found
