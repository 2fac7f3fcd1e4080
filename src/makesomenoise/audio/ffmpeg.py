"""What libsndfile cannot read (M4A, WebM, film, ...) through the ffmpeg program, where it is installed.

ffmpeg decodes, mixes and resamples, and its samples come through a pipe: nothing is written to a disk, and memory does
not grow with length.
"""

import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from makesomenoise.errors import FileError

_READ_BYTES = 1 << 18
_SAMPLE_BYTES = 4
_LEVEL = re.compile(r"^(?:\[[^]]* @ [^]]*\] )?\[(\w+)\] ?")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+\.\d+)")
_SIGNAL_EXIT = 128


class FfmpegError(FileError):
    """Why ffmpeg gives no sound.

    Attributes:
        reason: reads on from "cannot read it: ".
        known: whether it knew the kind of file.
        missing: whether it is not installed.
        broken: whether it is no fault of the file.
    """

    def __init__(self, reason: str, known: bool = False, missing: bool = False, broken: bool = False):
        super().__init__(reason)
        self.reason, self.known, self.missing, self.broken = reason, known, missing, broken


@dataclass
class Told:
    """What ffmpeg said of a file.

    Attributes:
        known: whether it knew the kind of file.
        sound: whether it found a sound track.
        film: whether it found a picture track.
        seconds: length that the file states, 0 where it states none.
        damaged: number of complaints about the content.
        last: the last of them.
    """

    known: bool = False
    sound: bool = False
    film: bool = False
    seconds: float = 0.0
    damaged: int = 0
    last: str = ""
    _estimated: bool = field(default=False, repr=False)
    _inputs: bool = field(default=False, repr=False)

    def hear(self, line: str) -> None:
        """Takes a line of its stderr."""
        level = _LEVEL.match(line)
        text = line[level.end() :].strip() if level else line.strip()
        kind = level.group(1) if level else ""
        if text.startswith(("Input #0", "Output #0")):
            self.known = True
            self._inputs = text.startswith("Input #0")
        elif self._inputs and text.startswith("Stream #0"):
            self.sound, self.film = self.sound or "Audio:" in text, self.film or "Video:" in text
        elif (found := _DURATION.search(text)) and not self._estimated:
            hours, minutes, seconds = found.groups()
            self.seconds = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        elif "Estimating duration" in text:
            self._estimated = True
        elif (kind in {"error", "fatal", "panic"} or "orrupt" in text) and "monotonically" not in text:
            self.damaged += 1
            self.last = text


def samples(path: Path, sample_rate: int, told: Told) -> Iterator[np.ndarray]:
    """Decodes the first sound track of a file.

    Args:
        path: an existing file.
        sample_rate: of the result, Hz.
        told: takes up what ffmpeg says.

    Yields:
        float32 samples [s], s > 0, mixed to one channel.

    Raises:
        FfmpegError: if it is not installed, is ended by somebody, or finds no sound; after the samples that it found.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise FfmpegError("ffmpeg is not installed", missing=True)
    # A playlist could name addresses: nothing but files is opened.
    reading = ["-nostdin", "-hide_banner", "-nostats", "-v", "repeat+level+info", "-protocol_whitelist", "file"]
    choosing = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar", str(sample_rate)]
    writing = ["-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]
    command = [program, *reading, "-i", f"file:{path.absolute()}", *choosing, *writing]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        raise FfmpegError(f"ffmpeg cannot be started ({error.strerror})", broken=True) from None
    assert process.stdout is not None
    last: deque[str] = deque(maxlen=1)
    hearing = threading.Thread(target=_hear, args=(process, told, last), daemon=True)
    hearing.start()
    found = False
    try:
        for block in _blocks(process):
            found = True
            yield block
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        hearing.join()
        process.stdout.close()
    _check(code, found, told, last)


def _blocks(process: subprocess.Popen) -> Iterator[np.ndarray]:
    assert process.stdout is not None
    while data := process.stdout.read(_READ_BYTES):
        if len(data) >= _SAMPLE_BYTES:
            yield np.frombuffer(data[: len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES], "<f4")


def _hear(process: subprocess.Popen, told: Told, last: deque[str]) -> None:
    assert process.stderr is not None
    with process.stderr as lines:
        for line in lines:
            text = line.decode(errors="replace")
            told.hear(text)
            last.append(text.strip())


def _check(code: int, found: bool, told: Told, last: deque[str]) -> None:
    # ffmpeg catches the signals that ask it to end, and then exits with 255.
    if code < 0 or code == _SIGNAL_EXIT + 9 or "Exiting normally, received signal" in "".join(last):
        number = f"signal {-code}" if code < 0 else "a signal"
        raise FfmpegError(f"ffmpeg, which reads it, was ended by {number}, perhaps for want of memory", broken=True)
    if found:
        return
    if told.known and not told.sound:
        raise FfmpegError("it holds no sound track", known=True)
    why = f" ({told.last})" if told.last else ""
    if told.known:
        raise FfmpegError(f"ffmpeg decodes none of its sound{why}", known=True)
    raise FfmpegError(f"nor does ffmpeg{': ' + told.last if told.last else ''}")
