"""Waveforms to the bytes of a sound file, and back, within limits; knows no model."""

import io as _io
import subprocess
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from makesomenoise.audio import io
from makesomenoise.errors import RequestError

MEDIA_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "pcm16": "audio/pcm",
    "pcm": "audio/pcm",
}
_BLOCK = 1 << 16  # libsndfile overflows its stack when it gets minutes of Ogg in one call
_UNIT = 6  # bytes: whole samples of 2 bytes, and whole groups of base64 of 3


def read(data: bytes, sample_rate: int, most_seconds: float) -> np.ndarray:
    """The waveform [S] of a sound file; its bytes decide on the format.

    Args:
        data: the whole file.
        sample_rate: of the result, Hz.
        most_seconds: the longest that is read.

    Raises:
        MakeSomeNoiseError: if it is no sound file, or a longer one.
    """
    chunks, count = [], 0
    for chunk in io.stream(data, sample_rate):
        count += len(chunk)
        if count > most_seconds * sample_rate:
            raise RequestError(f"The sound is longer than {most_seconds:g} s, which is the limit of this server.")
        chunks.append(chunk)
    return np.concatenate(chunks)


def encoded(waveform: np.ndarray, sample_rate: int, name: str, wanted_rate: int | None = None) -> bytes:
    """The bytes of a sound file.

    Args:
        waveform: [S]; what lies outside [-1, 1] is clipped.
        sample_rate: of the waveform, Hz.
        name: one of `MEDIA_TYPES`.
        wanted_rate: of the file, Hz; none leaves it.

    Raises:
        RequestError: if the format cannot be written here.
    """
    values = np.clip(waveform, -1.0, 1.0)
    if wanted_rate is not None and wanted_rate != sample_rate:
        values, sample_rate = soxr.resample(values, sample_rate, wanted_rate), wanted_rate
    if name in ("pcm", "pcm16"):
        return pcm16(values)
    if name == "aac":
        return _aac(encoded(values, sample_rate, "wav"))
    kind, subtype = io.FORMATS[f".{name}"]
    file = _io.BytesIO()
    try:
        with soundfile.SoundFile(file, "w", sample_rate, 1, subtype, format=kind) as target:
            for first in range(0, len(values), _BLOCK):
                target.write(values[first : first + _BLOCK])
    except soundfile.SoundFileError:
        raise RequestError(f"A {name} file of {sample_rate} Hz cannot be written: ask for 24000 Hz.") from None
    return file.getvalue()


def pcm16(values: np.ndarray) -> bytes:
    """Samples [S] in [-1, 1] as 16-bit integers, little-endian."""
    return np.rint(np.clip(values, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


class PcmPieces:
    """Waveforms that follow each other, as PCM whose base64 can be joined: pieces of a multiple of 3 bytes."""

    def __init__(self):
        self._rest = b""

    def after(self, waveform: np.ndarray) -> Iterator[bytes]:
        """What can be sent after another piece [s]."""
        data = self._rest + pcm16(waveform)
        whole = len(data) - len(data) % _UNIT
        self._rest = data[whole:]
        if whole:
            yield data[:whole]

    def rest(self) -> Iterator[bytes]:
        """What is left at the end."""
        if self._rest:
            yield self._rest
            self._rest = b""


def _aac(wav: bytes) -> bytes:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-f", "wav", "-i", "pipe:0", "-c:a", "aac", "-f", "adts", "pipe:1"]
    try:
        return subprocess.run(command, input=wav, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise RequestError("AAC needs ffmpeg, which is not installed here: ask for mp3 or opus.") from None
