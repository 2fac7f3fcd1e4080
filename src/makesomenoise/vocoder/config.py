"""The configuration of the iSTFT vocoder, and how that of Vocos is told from it; imports no network."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import yaml
from pydantic import model_validator

from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import ModelConfig, Teacher
from makesomenoise.model_folder import CONFIG_FILE
from makesomenoise.vocoder.spectral import whole_periods

KERNEL = 7
VOCOS_WEIGHTS = "pytorch_model.bin"
_DEFAULT_MEL = MelConfig()


class IstftVocoderConfig(ModelConfig):
    """Settings of the iSTFT vocoder.

    Attributes:
        kind: tag of this vocoder.
        mel: the log-mel it reads.
        dim: channels of the blocks.
        hidden: channels inside a block.
        layers: number of blocks.
        griffin_lim_iters: rounds of Griffin-Lim whose spectrum the network corrects; at 0 it makes all, as in Vocos.
        teachers: networks trained elsewhere that had a part in its training; no evaluation asks them.
    """

    model_type: ClassVar[str] = "vocoder"

    kind: Literal["istft"] = "istft"
    mel: MelConfig = _DEFAULT_MEL
    dim: int = 256
    hidden: int = 768
    layers: int = 8
    griffin_lim_iters: int = 0
    teachers: tuple[Teacher, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What decides on the sound, beside the weights."""
        sizes = {"dim": self.dim, "hidden": self.hidden, "layers": self.layers}
        return {"mel": self.mel.model_dump(), **sizes, "griffin_lim_iters": self.griffin_lim_iters}

    @classmethod
    def from_unversioned(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The keys of today."""
        return {"griffin_lim_iters" if name == "prior_rounds" else name: value for name, value in values.items()}

    @model_validator(mode="after")
    def _whole_hops(self) -> Self:
        if self.mel.n_fft % (2 * self.mel.hop_samples) or self.mel.n_fft < 4 * self.mel.hop_samples:
            raise ValueError("mel.n_fft must be an even multiple of mel.hop_samples, at least 4 times as long")
        return self

    @property
    def context_frames(self) -> int:
        """Frames on either side that a sample depends on; with them a window gives what the whole signal gives."""
        overlap = self.mel.n_fft // self.mel.hop_samples
        reach = (KERNEL // 2) * (self.layers + 1) + overlap // 2
        # Each round of the prior, and the look at its result, reach as far as two frames overlap.
        rounds = self.griffin_lim_iters
        return whole_periods(reach + (rounds + 1) * (overlap - 1)) if rounds else reach


def is_vocos(folder: Path) -> bool:
    """Whether the folder holds weights in the format of Vocos rather than in ours."""
    try:
        values = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(values, dict) and {"backbone", "head"} <= values.keys()
