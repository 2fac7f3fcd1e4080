"""What runs trained networks on arrays: the protocols of an engine, and how one is chosen by name.

An engine knows one call of a network and nothing else. Windows, seams, the steps of a sampler, guidance and noise are
written once, on NumPy arrays, by whoever calls it; so a seed means the same sound whichever engine computes it.
"""

import importlib.util
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from makesomenoise.config import Teacher
from makesomenoise.errors import ModelError

EngineName = Literal["auto", "onnx", "torch"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


class EngineError(ModelError):
    """A network that cannot be run as it was asked for; the message is one sentence for the user."""


@dataclass(frozen=True)
class Condition:
    """What a decoder's trunk read in latents, for all steps of a decoding.

    Attributes:
        by_code: [B, N, C].
        by_frame: [B, 4N, F].
    """

    by_code: np.ndarray
    by_frame: np.ndarray


class CodecEngine(Protocol):
    """The networks of a tokenizer; all arrays are float32 but codes, which are int64."""

    @property
    def device(self) -> str:
        """Where they compute."""
        ...

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """Log-mel [B, M, 4N] to codes [B, N]."""
        ...

    def condition(self, latents: np.ndarray) -> Condition:
        """What the decoder's trunk reads in latents [B, N, D]."""
        ...

    def denoise(
        self, x: np.ndarray, condition: Condition, t: np.ndarray, span: np.ndarray, guidance: np.ndarray
    ) -> np.ndarray:
        """One pass of the decoder.

        Args:
            x: frames [B, 4N, M].
            condition: what `condition` gave.
            t: [B] time of the step.
            span: [B] how far it jumps.
            guidance: [B] scale of the guidance; 1 is off.

        Returns:
            [B, 4N, M].
        """
        ...


class VocoderEngine(Protocol):
    """A vocoder."""

    @property
    def teachers(self) -> tuple[Teacher, ...]:
        """Networks trained elsewhere that had a part in its training; no evaluation asks them."""
        ...

    @property
    def context_frames(self) -> int:
        """Frames on either side that a window of a long sound needs to join its neighbours."""
        ...

    def __call__(self, mel: np.ndarray) -> np.ndarray:
        """Log-mel [B, M, T] to a waveform [B, T * hop]; frame i is centred on sample i * hop."""
        ...


def chosen_engine(name: str, device: str = "cpu") -> Literal["onnx", "torch"]:
    """The engine that a name means: `auto` is onnx on a CPU and torch elsewhere.

    Raises:
        EngineError: if it means none, if what it needs is not installed, or if it cannot use the device.
    """
    if name not in ENGINES:
        raise EngineError(f"Unknown engine '{name}': give {', '.join(ENGINES[:-1])} or {ENGINES[-1]}.")
    if name == "onnx" and device != "cpu":
        raise EngineError(f"The engine onnx computes on the cpu, not on '{device}': give `--engine torch`.")
    if name == "onnx" or (name == "auto" and device == "cpu"):
        return "onnx"
    if not _is_importable("torch"):
        raise EngineError("The engine torch is not installed: `pip install 'makesomenoise[torch]'`, or give onnx.")
    return "torch"


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what a hook on imports may raise
        return False
