"""What runs trained networks on arrays: the protocols of an engine, and how one is chosen by name.

An engine knows one call of a network and nothing else. Windows, seams, the steps of a sampler, guidance and noise are
written once, on NumPy arrays, by whoever calls it; so a seed means the same sound whichever engine computes it.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

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


class LanguageState(Protocol):
    """What an LLM has read of conversations that go on side by side, one a row; it grows as more is read."""

    def chosen(self, rows: Sequence[int]) -> Self:
        """A copy of some of the rows, each as often as it is named."""
        ...

    def crop(self, length: int) -> None:
        """Forgets all but the first tokens of the only row."""
        ...

    def join(self, other: Self) -> None:
        """Takes copies of the rows of another state, whatever their lengths, after its own."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Forgets all but some of the rows, at least one, which come in this order; one whose place stays is not moved.

        Args:
            rows: different ones.
        """
        ...


class LanguageEngine(Protocol):
    """An LLM whose vocabulary is that of a text, and after it the words of sound; hidden vectors are float32.

    States are of the engine that began them, and of no other.
    """

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    def begin(self, rows: int) -> Any:
        """A `LanguageState` of so many rows of which nothing was read."""
        ...

    def read(self, state: Any, tokens: Sequence[Sequence[int]]) -> np.ndarray:
        """Reads tokens, at least one, that follow what was read of each row.

        Args:
            state: goes on; rows that something was read of get equally many tokens.
            tokens: [R][n] of each row.

        Returns:
            [R, H] what comes of the last token of each row.
        """
        ...

    def read_branches(self, state: Any, branches: Sequence[Sequence[int]]) -> np.ndarray:
        """Reads several ways in which the only row of a state may go on; the state stays as it is.

        Args:
            state: what comes before.
            branches: tokens of each way, which do not see those of the others.

        Returns:
            [N, H] what comes of each of all their tokens.
        """
        ...

    def text_scores(self, hidden: np.ndarray) -> np.ndarray:
        """Scores [R, V] of the tokens of text to come next, from hidden vectors [R, H]."""
        ...

    def audio_scores(self, hidden: np.ndarray) -> np.ndarray:
        """Scores [R, K + 2] of the words of sound to come next: codes, start, end."""
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
