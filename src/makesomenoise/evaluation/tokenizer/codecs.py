"""What is measured: ways of making a clip smaller and whole again.

Tokenizers, vocoders, and the classic codecs codec2 and Opus through the command-line programs that Debian packages.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.engine.base import VocoderEngine
from makesomenoise.tokenizer.model import AudioTokenizer


@dataclass(frozen=True, slots=True)
class CodecOutput:
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
        codebook_size: K of `CodecOutput.codes`, or None where there are none.
    """

    name: str
    codebook_size: int | None

    def reconstruct(self, waveform: Tensor) -> CodecOutput:
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

    def reconstruct(self, waveform: Tensor) -> CodecOutput:
        """Codes and decodes a waveform [S]."""
        codes = self.tokenizer.encode(waveform[None])
        decoded = self.tokenizer.decode(codes, self._steps, self._guidance, self._seed)[0, : len(waveform)]
        bits = codes.size * self.tokenizer.bits_per_code
        return CodecOutput(torch.from_numpy(decoded), bits, torch.from_numpy(codes[0]))


class VocoderSystem:
    """The log-mel straight to a vocoder: what the tokenizer could reach at most."""

    codebook_size: int | None = None

    def __init__(self, name: str, mel: MelSpectrogram, vocoder: VocoderEngine):
        self.name, self._mel, self._vocoder = name, mel, vocoder

    def reconstruct(self, waveform: Tensor) -> CodecOutput:
        """Waveform [S] to log-mel and back."""
        return CodecOutput(torch.from_numpy(self._vocoder(self._mel(waveform[None].numpy()))[0, : len(waveform)]))


SAMPLE_RATE = 24_000
_CODEC2_RATE = 8_000
# Bits in a frame and samples of a frame at 8 kHz; the program pads each frame to whole bytes, a radio would not.
_CODEC2_FRAMES = {"700C": (28, 320), "3200": (64, 160)}
_OGG_HEADER_PAGES = 2


@dataclass(frozen=True, slots=True)
class InstalledCodecs:
    """The codecs that this machine has.

    Attributes:
        systems: ready to use.
        skipped: for each of the others, the reason.
    """

    systems: list[System]
    skipped: dict[str, str]


def find_codecs() -> InstalledCodecs:
    """Looks for the programs of codec2 (700C and 3200 bit/s) and Opus (6 kbit/s)."""
    offers: list[tuple[str, str, tuple[str, str], Callable[[Tensor], CodecOutput]]] = [
        ("codec2 700C", "codec2", ("c2enc", "c2dec"), lambda waveform: codec2(waveform, "700C")),
        ("codec2 3200", "codec2", ("c2enc", "c2dec"), lambda waveform: codec2(waveform, "3200")),
        ("Opus 6 kbit/s", "opus-tools", ("opusenc", "opusdec"), opus),
    ]
    found = InstalledCodecs([], {})
    for name, package, programs, reconstruct in offers:
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            found.skipped[name] = f"{' and '.join(missing)} not installed (Debian package {package})"
        else:
            found.systems.append(_Program(name, reconstruct))
    return found


class _Program:
    codebook_size: int | None = None

    def __init__(self, name: str, reconstruct: Callable[[Tensor], CodecOutput]):
        self.name, self._reconstruct = name, reconstruct

    def reconstruct(self, waveform: Tensor) -> CodecOutput:
        return self._reconstruct(waveform)


def codec2(waveform: Tensor, mode: str) -> CodecOutput:
    """Codes a 24 kHz waveform [S] with codec2, which works at 8 kHz.

    Args:
        waveform: the sound.
        mode: `700C` or `3200`.
    """
    bits, frame = _CODEC2_FRAMES[mode]
    narrow = soxr.resample(waveform.numpy(), SAMPLE_RATE, _CODEC2_RATE)
    frames = -(-len(narrow) // frame)
    # One frame more than the sound: the decoder answers about a frame late.
    samples = np.zeros((frames + 1) * frame, np.int16)
    samples[: len(narrow)] = np.round(narrow.clip(-1, 1) * 32767)
    with tempfile.TemporaryDirectory() as folder:
        source, coded, target = (Path(folder) / name for name in ("in.raw", "coded.bit", "out.raw"))
        samples.tofile(source)
        _call("c2enc", mode, source, coded)
        _call("c2dec", mode, coded, target)
        decoded = np.fromfile(target, np.int16).astype(np.float32) / 32767
    return CodecOutput(_fitted(soxr.resample(decoded, _CODEC2_RATE, SAMPLE_RATE), len(waveform)), frames * bits)


def opus(waveform: Tensor) -> CodecOutput:
    """Codes a 24 kHz waveform [S] with Opus at 6 kbit/s, the lowest of `opusenc`; Ogg's own bytes are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        source, coded, target = (Path(folder) / name for name in ("in.wav", "coded.opus", "out.wav"))
        soundfile.write(source, waveform.numpy().clip(-1, 1), SAMPLE_RATE, subtype="PCM_16")
        _call("opusenc", "--quiet", "--bitrate", "6", "--hard-cbr", source, coded)
        _call("opusdec", "--quiet", "--rate", str(SAMPLE_RATE), coded, target)
        decoded, _ = soundfile.read(target, dtype="float32")
        payload = ogg_payload_bytes(coded.read_bytes())
    return CodecOutput(_fitted(decoded, len(waveform)), 8 * payload)


def ogg_payload_bytes(data: bytes) -> int:
    """Bytes of the packets of an Ogg Opus file, without pages, headers and tags (RFC 3533, RFC 7845)."""
    at = page = total = 0
    in_headers = True
    while data[at : at + 4] == b"OggS":
        segments = data[at + 27 : at + 27 + data[at + 26]]
        # The tags may fill several pages; the sound begins on the first page whose granule position is not zero.
        in_headers = in_headers and (page < _OGG_HEADER_PAGES or data[at + 6 : at + 14] in (bytes(8), b"\xff" * 8))
        total += 0 if in_headers else sum(segments)
        at += 27 + len(segments) + sum(segments)
        page += 1
    return total


def _call(program: str, *arguments: str | Path) -> None:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} failed: {' '.join(done.stderr.split())[:200]}.")


def _fitted(samples: np.ndarray, length: int) -> Tensor:
    waveform = torch.from_numpy(np.ascontiguousarray(samples[:length], dtype=np.float32))
    return torch.nn.functional.pad(waveform, (0, length - len(waveform)))
