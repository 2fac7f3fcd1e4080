"""What is measured: ways of making a clip smaller and whole again.

Tokenizers and vocoders are here, the classic codecs in `codecs`.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.engine.base import VocoderEngine
from makesomenoise.tokenizer.model import AudioTokenizer


@dataclass(frozen=True, slots=True)
class Coded:
    """A clip after coding.

    Attributes:
        waveform: [S], as long as the original.
        bits: size of the coded clip without container, or None where nothing was coded.
        codes: [N] integers of a tokenizer's codebook, or None.
    """

    waveform: Tensor
    bits: int | None = None
    codes: Tensor | None = None


class System(Protocol):
    """Something that codes clips.

    Attributes:
        name: for the report.
        codebook_size: K of `Coded.codes`, or None where there are none.
    """

    name: str
    codebook_size: int | None

    def code(self, waveform: Tensor) -> Coded:
        """Codes and decodes a waveform [S]."""
        ...


class TokenizerSystem:
    """One of our tokenizers, decoding with `steps`, `guidance` and `seed` as `AudioTokenizer.decode` takes them."""

    def __init__(
        self,
        name: str,
        tokenizer: AudioTokenizer,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
    ):
        self.name, self.tokenizer = name, tokenizer
        self.codebook_size: int | None = tokenizer.codebook_size
        self._steps, self._guidance, self._seed = steps, guidance, seed

    def code(self, waveform: Tensor) -> Coded:
        """Codes and decodes a waveform [S]."""
        codes = self.tokenizer.encode(waveform[None])
        decoded = self.tokenizer.decode(codes, self._steps, self._guidance, self._seed)[0, : len(waveform)]
        bits = codes.size * self.tokenizer.bits_per_code
        return Coded(torch.from_numpy(decoded), bits, torch.from_numpy(codes[0]))


class VocoderSystem:
    """The log-mel straight to a vocoder: what the tokenizer could reach at most."""

    codebook_size: int | None = None

    def __init__(self, name: str, mel: MelSpectrogram, vocoder: VocoderEngine):
        self.name, self._mel, self._vocoder = name, mel, vocoder

    def code(self, waveform: Tensor) -> Coded:
        """Waveform [S] to log-mel and back."""
        return Coded(torch.from_numpy(self._vocoder(self._mel(waveform[None].numpy()))[0, : len(waveform)]))
