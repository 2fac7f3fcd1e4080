"""A sound through another tokenizer, for comparison: in the worker's thread, loaded when it is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from makesomenoise.language.side_by_side import SideBySide
from makesomenoise.pipeline import AudioLanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer


@dataclass(frozen=True)
class Recode:
    """A sound as another tokenizer decodes it: yields its waveform.

    Attributes:
        sound: a waveform [S].
        tokenizer: a model folder or a bundled name.
    """

    sound: np.ndarray
    tokenizer: str

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Iterator[np.ndarray]:  # noqa: ARG002 - draws nothing
        """Codes and decodes it."""
        other = AudioTokenizer.load(self.tokenizer)
        yield other.decode(other.encode(self.sound[None]))[0, : len(self.sound)]
