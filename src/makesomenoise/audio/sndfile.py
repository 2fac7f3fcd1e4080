"""libsndfile: parts of sound files to blocks of one channel, read onwards only, and nothing written to stderr."""

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
import soundfile

from makesomenoise.audio.source import Pieces, SourceBytes
from makesomenoise.audio.survey import Part, Survey
from makesomenoise.errors import FileError

_LOWEST_RATE, _HIGHEST_RATE = 100, 10_000_000
_MOST_VALUES = 1 << 22  # of one block over all channels, so that a file of 1024 channels is read in shorter blocks
_UNKNOWN_FRAMES = 1 << 62
_NOT_KNOWN = ("not recognised", "does not exist or is not a regular file")
_UNKNOWN = "it is not a sound file of a known kind (WAV, FLAC, Ogg Vorbis or Opus, MP3, AIFF, ...)"
_FLOATS = ("FLOAT", "DOUBLE")
_stderr = threading.Lock()


class SndfileError(FileError):
    """What libsndfile cannot read.

    Attributes:
        reason: reads on from "cannot read it: ".
        known: whether it knew the kind of file.
    """

    def __init__(self, reason: str, known: bool):
        super().__init__(reason)
        self.reason, self.known = reason, known


@dataclass(frozen=True)
class Block:
    """A stretch of sound.

    Attributes:
        samples: [s] float32, the mean of the channels.
        rate: of the samples, Hz.
        promised: samples that all of the part is said to have, 0 where nothing is said.
    """

    samples: np.ndarray
    rate: int
    promised: int = 0


class _ForwardFile(soundfile.SoundFile):
    """A sound file that is only read onwards: soundfile seeks after each read, which makes MP3 decoders drop frames."""

    def seekable(self) -> bool:
        return False


def blocks(data: SourceBytes, survey: Survey, part: Part, seconds: float) -> Iterator[Block]:
    """Decodes a part.

    Args:
        data: the file.
        survey: of it.
        part: one of the survey's.
        seconds: length of a block at most.

    Raises:
        SndfileError: if it cannot be opened, or not be decoded further.
    """
    with _opened(data, survey, part) as file:
        frames = max(1, min(int(seconds * file.samplerate), _MOST_VALUES // file.channels))
        promised = file.frames if part.promises and file.frames < _UNKNOWN_FRAMES else 0
        lead = part.lead
        for block in _blocks(file, frames, survey.chatty):
            sound, lead = block[lead:], max(lead - len(block), 0)
            if len(sound):
                yield Block(sound.mean(axis=1), file.samplerate, promised)


def peak(data: SourceBytes, survey: Survey) -> float:
    """The largest magnitude among the samples of all parts, where a file may hold any; 1 where its format bounds them.

    Values that are no numbers are left to whoever decodes them.
    """
    most = 1.0
    for part in survey.parts:
        with contextlib.suppress(SndfileError), _opened(data, survey, part) as file:
            if file.subtype not in _FLOATS:
                return 1.0
            frames = max(1, _MOST_VALUES // 4 // file.channels)
            for block in _blocks(file, frames, survey.chatty):
                most = max(most, float(np.abs(np.nan_to_num(block, posinf=0.0, neginf=0.0)).max()))
    return most


@contextmanager
def _opened(data: SourceBytes, survey: Survey, part: Part) -> Iterator[soundfile.SoundFile]:
    plain: Any = data.path if part.pieces is None else None
    if plain is not None and os.name == "posix":
        plain = os.fsencode(plain)  # soundfile itself refuses names that are no UTF-8
    source: Any = plain or cast(BinaryIO, Pieces(data, part.pieces or [range(data.size)]))
    try:
        with _quiet(survey.chatty):
            file = _ForwardFile(source)
    except soundfile.SoundFileError as error:
        text = _text(error)
        known = not any(words in text for words in _NOT_KNOWN)
        raise SndfileError(_reason(text) if known else _UNKNOWN, known) from None
    with file:
        if not _LOWEST_RATE <= file.samplerate <= _HIGHEST_RATE:
            limits = f"{_LOWEST_RATE} to {_HIGHEST_RATE} Hz"
            raise SndfileError(f"its header says {file.samplerate} Hz, expected {limits}", known=True)
        yield file


def _blocks(file: soundfile.SoundFile, frames: int, quiet: bool) -> Iterator[np.ndarray]:
    """Blocks [s, channels] to the end; what was decoded before an error comes before it."""
    while True:
        block = np.full((frames, file.channels), np.nan, np.float32)
        error = None
        try:
            with _quiet(quiet):
                block = file.read(out=block)
        except soundfile.SoundFileError as raised:
            error = raised
            # Of a call that fails nobody says how far it came; what it did not reach is as it was.
            block = block[: int(np.isnan(block[:, 0]).argmax())]
        if len(block):
            yield block
        if error is not None:
            raise SndfileError(_reason(_text(error)), known=True)
        if not len(block):
            return


def _text(error: soundfile.SoundFileError) -> str:
    return " ".join(str(getattr(error, "error_string", error)).split()).removeprefix("Error : ").rstrip(".")


def _reason(text: str) -> str:
    """What libsndfile says, put into words that help."""
    if "SF_INFO struct incomplete" in text:
        return "its header is damaged (a sample rate of 0 Hz, or no channels)"
    if "No 'data' chunk" in text:
        return "it ends before its first sample"
    if "file is malformed" in text:
        return "libsndfile calls it malformed"
    return text[:1].lower() + text[1:]


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Keeps what a library writes to the process's stderr by itself from being seen."""
    if not wanted:
        yield
        return
    with _stderr:
        try:
            kept = os.dup(2)
        except OSError:  # closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
