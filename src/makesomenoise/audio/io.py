"""Sound files to mono waveforms at one sample rate and back, whole or in chunks; knows no spectrogram and no model.

Reads what libsndfile reads (WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3, AIFF, ...) and, where ffmpeg is installed, what that
reads (M4A, WebM, film, ...): any rate, any number of channels, 8 to 32 bit and float. Of a file that is cut off or
damaged all there is is read, with a warning. A file that is written appears under its name whole or not at all.
"""

import contextlib
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import ArrayLike

from makesomenoise.audio.errors import AudioError, AudioWarning
from makesomenoise.audio.reader import Report, read
from makesomenoise.audio.source import Source
from makesomenoise.files import atomic_write, is_stream

__all__ = [
    "FORMATS",
    "SAMPLE_RATE",
    "AudioError",
    "AudioWarning",
    "Report",
    "Source",
    "Write",
    "format_of",
    "load",
    "save",
    "stream",
    "writer",
]

SAMPLE_RATE = 24_000
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_BLOCK_SAMPLES = 1 << 16  # libsndfile overflows its stack when it gets minutes of Ogg Vorbis in one call

Write = Callable[[ArrayLike], None]


def load(source: Source, sample_rate: int = SAMPLE_RATE, strict: bool = False) -> np.ndarray:
    """Reads a whole file.

    Args:
        source: a path, `-` for standard input, the bytes of a file, or a file opened for reading bytes.
        sample_rate: of the result, Hz.
        strict: refuse a file of which something is missing, which else is an `AudioWarning`.

    Returns:
        Mean of the channels as a waveform [S] in float32, nominally in [-1, 1]; S is at least 1. What ffmpeg reads is
        mixed as ffmpeg does.

    Raises:
        AudioError: if there is no such file, if it is not a sound file, is empty, holds nothing that can be decoded,
            or holds values that are not finite.
    """
    return np.concatenate(list(stream(source, sample_rate, strict=strict)))


def stream(
    source: Source,
    sample_rate: int = SAMPLE_RATE,
    chunk_seconds: float = 10.0,
    strict: bool = False,
    report: Report | None = None,
) -> Iterator[np.ndarray]:
    """Reads a file chunk by chunk in constant memory.

    Args:
        source: as for `load`.
        sample_rate: of the result, Hz.
        chunk_seconds: length that is read at a time.
        strict: as for `load`.
        report: is told how much of the file was read, 0 to 1, where the file says how long it is.

    Yields:
        Waveforms [s] of at least one sample each, which follow each other to exactly the result of `load`.

    Raises:
        AudioError: as `load`; what is wrong late in a file is raised after the chunks before it.
    """
    yield from read(source, sample_rate, chunk_seconds, strict, report)


def save(path: str | Path, waveform: ArrayLike, sample_rate: int = SAMPLE_RATE) -> None:
    """Writes a file in the format that its suffix names.

    Args:
        path: ends in one of `FORMATS`; an existing file is replaced, a pipe or device written into.
        waveform: [S], an array or a tensor on a CPU; what lies outside [-1, 1] is clipped.
        sample_rate: of the waveform, Hz.

    Raises:
        AudioError: if the suffix, the shape or the values cannot be written.
        FileError: if the file cannot be written, a full disk included.
    """
    with writer(path, sample_rate) as write:
        write(waveform)


def format_of(path: Path) -> tuple[str, str]:
    """Format and subtype, as libsndfile calls them, of a file that is to be written.

    Args:
        path: ends in one of `FORMATS`; a pipe or device whose name has no suffix gets WAV.

    Raises:
        AudioError: if it does not.
    """
    suffix = path.suffix.lower()
    if not suffix and is_stream(path):
        suffix = ".wav"
    if suffix not in FORMATS:
        raise AudioError(f"Cannot write {path}: its name must end in one of {', '.join(FORMATS)}.")
    return FORMATS[suffix]


@contextlib.contextmanager
def writer(path: str | Path, sample_rate: int = SAMPLE_RATE) -> Iterator[Write]:
    """Opens a file to be written chunk by chunk.

    Args:
        path: ends in one of `FORMATS`; an existing file is replaced when the context ends without an error, and left
            alone when it ends with one.
        sample_rate: of the chunks, Hz.

    Yields:
        A function that appends a waveform [s].

    Raises:
        AudioError, FileError: as `save`.
    """
    path = Path(path)
    file_format, subtype = format_of(path)
    with atomic_write(path) as temporary, temporary.open("w+b", buffering=0) as raw:
        kept = _Kept(raw)
        binary: Any = kept  # it has of a file what soundfile calls

        def write(waveform: ArrayLike) -> None:
            _append(file, waveform, path)
            kept.check()

        try:
            with soundfile.SoundFile(binary, "w", sample_rate, 1, subtype, format=file_format) as file:
                yield write
        except soundfile.SoundFileError as error:
            kept.check()
            raise AudioError(f"Cannot write {path} at {sample_rate} Hz: {_reason(error)}.") from None
        kept.check()


class _Kept:
    """A file whose errors of writing are kept for `check`: of libsndfile's own only the fact comes through."""

    def __init__(self, file: RawIOBase):
        self._file, self._error = file, None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        """Writes all that can be written."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            self._error = self._error or error
        return len(data)

    def check(self) -> None:
        """Raises the first error there was."""
        if self._error is not None:
            raise self._error


def _reason(error: soundfile.SoundFileError) -> str:
    text = " ".join(str(getattr(error, "error_string", error)).split()).removeprefix("Error : ").rstrip(".")
    return text[:1].lower() + text[1:]


def _append(file: soundfile.SoundFile, waveform: ArrayLike, path: Path) -> None:
    samples = np.asarray(waveform, np.float32)
    if samples.ndim != 1:
        raise AudioError(f"Cannot write {path}: expected a waveform [S], got the shape {list(samples.shape)}.")
    if not np.isfinite(samples).all():
        raise AudioError(f"Cannot write {path}: the waveform holds values that are not finite numbers.")
    for start in range(0, len(samples), _BLOCK_SAMPLES):
        file.write(samples[start : start + _BLOCK_SAMPLES].clip(-1.0, 1.0))
