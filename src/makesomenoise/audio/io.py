"""Sound files to mono waveforms at one sample rate and back, whole or in chunks; knows no spectrogram and no model.

Reads what libsndfile reads (WAV, FLAC, Ogg Vorbis, Ogg Opus, MP3, AIFF, ...) and, where ffmpeg is installed, what that
reads (M4A, WebM, ...): any rate, any number of channels, 8 to 32 bit and float. A file that is written appears under
its name whole or not at all.
"""

import contextlib
import io as _io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike

from makesomenoise.audio.ffmpeg import converted
from makesomenoise.errors import FileError
from makesomenoise.files import atomic_write, is_stream

SAMPLE_RATE = 24_000
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000
_MOST_VALUES = 1 << 22  # of one block over all channels, so that a file of 1024 channels is read in shorter blocks
_SLACK_SAMPLES = 2 * 1152  # the length of an MP3 file without a length in its header is a guess, good to two frames
_FOREIGN = (1, 3)  # libsndfile's "format not recognised" and "malformed", for which ffmpeg is asked
_BLOCK_SAMPLES = 1 << 16  # libsndfile overflows its stack when it gets minutes of Ogg Vorbis in one call

Source = str | Path | bytes | BinaryIO
Write = Callable[[ArrayLike], None]


class AudioError(FileError):
    """A sound that cannot be read or written; the message is one sentence for the user."""


def load(source: Source, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Reads a whole file.

    Args:
        source: a path, the bytes of a file, or a file opened for reading bytes.
        sample_rate: of the result, Hz.

    Returns:
        Mean of the channels as a waveform [S] in float32, nominally in [-1, 1]; S is at least 1.

    Raises:
        AudioError: if there is no such file, if it is not a sound file, is empty, truncated or damaged, or if it holds
            values that are not finite.
    """
    return np.concatenate(list(stream(source, sample_rate)))


def stream(source: Source, sample_rate: int = SAMPLE_RATE, chunk_seconds: float = 10.0) -> Iterator[np.ndarray]:
    """Reads a file chunk by chunk in constant memory.

    Args:
        source: as for `load`.
        sample_rate: of the result, Hz.
        chunk_seconds: length that is read at a time.

    Yields:
        Waveforms [s] of at least one sample each, which follow each other to exactly the result of `load`.

    Raises:
        AudioError: as `load`; what is wrong late in a file is raised after the chunks before it.
    """
    name = _name(source)
    with _opened(source, name) as file:
        blocks = _mono_blocks(file, name, chunk_seconds)
        yield from blocks if file.samplerate == sample_rate else _resampled(blocks, file.samplerate, sample_rate)


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


class _ForwardFile(soundfile.SoundFile):
    """A sound file that is only read onwards: soundfile seeks after each read, which makes MP3 decoders drop frames."""

    def seekable(self) -> bool:
        return False


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


def _name(source: Source) -> str:
    if isinstance(source, str | Path):
        return str(source)
    return "the given bytes" if isinstance(source, bytes) else str(getattr(source, "name", "the given file"))


@contextlib.contextmanager
def _opened(source: Source, name: str) -> Iterator[soundfile.SoundFile]:
    if isinstance(source, str | Path):
        _check_path(Path(source))
    elif isinstance(source, bytes) or not source.seekable():
        source = _io.BytesIO(source if isinstance(source, bytes) else source.read())
    with contextlib.ExitStack() as stack:
        try:
            file = _ForwardFile(source)
        except soundfile.SoundFileError as error:
            foreign = isinstance(error, soundfile.LibsndfileError) and error.code in _FOREIGN
            path = stack.enter_context(converted(stack.enter_context(_as_path(source)))) if foreign else None
            if path is None:
                raise AudioError(f"Cannot read {name}: {_reason(error)}.") from None
            file = _ForwardFile(path)
        stack.enter_context(file)
        if not _LOWEST_RATE <= file.samplerate <= _HIGHEST_RATE:
            limits = f"{_LOWEST_RATE} to {_HIGHEST_RATE} Hz"
            raise AudioError(f"Cannot read {name}: its header says {file.samplerate} Hz, expected {limits}.")
        yield file


@contextlib.contextmanager
def _as_path(source: str | Path | BinaryIO) -> Iterator[Path]:
    if isinstance(source, str | Path):
        yield Path(source)
        return
    with tempfile.NamedTemporaryFile(prefix="makesomenoise-") as file:
        source.seek(0)
        shutil.copyfileobj(source, file)
        file.flush()
        yield Path(file.name)


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"Cannot read {path}: it is a folder; give a sound file.")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"Cannot read {path}: the file is empty.")
    except OSError as error:
        raise AudioError(f"Cannot read {path}: {error.strerror}.") from None


def _reason(error: soundfile.SoundFileError) -> str:
    """What libsndfile says, put into words that help."""
    text = " ".join(str(getattr(error, "error_string", error)).split()).removeprefix("Error : ").rstrip(".")
    if "SF_INFO struct incomplete" in text:
        return "its header is damaged (a sample rate of 0 Hz, or no channels)"
    if "file is malformed" in text:
        return "libsndfile calls it malformed, as it does some Ogg Opus files; with ffmpeg installed they can be read"
    if "not recognised" in text or "does not exist or is not a regular file" in text:
        known = "WAV, FLAC, Ogg Vorbis or Opus, MP3, AIFF; others with ffmpeg installed"
        return f"it is not a complete sound file of a known kind ({known})"
    return text[:1].lower() + text[1:]


def _mono_blocks(file: soundfile.SoundFile, name: str, chunk_seconds: float) -> Iterator[np.ndarray]:
    frames = int(chunk_seconds * file.samplerate)
    frames = max(1, min(frames, _MOST_VALUES // file.channels))
    total = 0
    while len(block := _read(file, frames, name)):
        if not np.isfinite(block).all():
            raise AudioError(f"Cannot use {name}: it holds values that are not finite numbers (NaN or infinity).")
        total += len(block)
        yield block.mean(axis=1)
    if not total:
        raise AudioError(f"Cannot use {name}: it holds no samples.")
    if total + _SLACK_SAMPLES < file.frames:
        found, promised = total / file.samplerate, file.frames / file.samplerate
        raise AudioError(f"{name} is truncated: it promises {promised:.2f} s of sound and holds {found:.2f} s.")


def _read(file: soundfile.SoundFile, frames: int, name: str) -> np.ndarray:
    try:
        return file.read(frames, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise AudioError(f"{name} is damaged or truncated: {_reason(error)}.") from None


def _resampled(blocks: Iterator[np.ndarray], from_rate: int, to_rate: int) -> Iterator[np.ndarray]:
    resampler = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32")
    total_in = total_out = 0
    for block in blocks:
        total_in += len(block)
        chunk = resampler.resample_chunk(block)
        total_out += len(chunk)
        if len(chunk):
            yield chunk
    # One sample at 96 kHz is a quarter of one at 24 kHz: zeros after the end bring it up to a whole one.
    missing = max(0, -(-from_rate // to_rate) - total_in)
    chunk = resampler.resample_chunk(np.zeros(missing, np.float32), last=True)
    if len(chunk):
        yield chunk


def _append(file: soundfile.SoundFile, waveform: ArrayLike, path: Path) -> None:
    samples = np.asarray(waveform, np.float32)
    if samples.ndim != 1:
        raise AudioError(f"Cannot write {path}: expected a waveform [S], got the shape {list(samples.shape)}.")
    if not np.isfinite(samples).all():
        raise AudioError(f"Cannot write {path}: the waveform holds values that are not finite numbers.")
    for start in range(0, len(samples), _BLOCK_SAMPLES):
        file.write(samples[start : start + _BLOCK_SAMPLES].clip(-1.0, 1.0))
