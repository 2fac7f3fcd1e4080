"""Standard streams that no name, no locale and no full disk brings down, and an end by signals that leaves nothing."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import typer

from makesomenoise.files import printable

INTERRUPTED = 130  # what shells call an end by Ctrl-C
# Letters that move the cursor or change the terminal, as names of files may hold them; lines and tabs stay.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


def tell(text: str, aloud: bool = True) -> None:
    """Says in a line what was done; that nobody reads it ends nothing.

    Args:
        text: names of files in it may hold any letters.
        aloud: on standard output; else on standard error, where the output itself goes to standard output.
    """
    with suppress(BrokenPipeError):
        typer.echo(printable(text), err=not aloud)


class _Raw(io.RawIOBase):
    """A stream that keeps the error of writing to it, and ends nothing but at a pipe that nobody reads any more.

    Args:
        raw: the stream; none where it is closed.
        stops: whether a pipe that nobody reads is an error, the first time.
    """

    def __init__(self, raw: io.FileIO | None, stops: bool):
        self._raw, self._stops = raw, stops
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                return self._written(data)
            except OSError as error:
                self.error = error
                if error.errno == errno.EPIPE and self._stops:
                    raise
        return len(data)

    def _written(self, data: Any) -> int:
        if self._raw is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._raw.write(data) or 0

    def fileno(self) -> int:
        if self._raw is None:
            raise io.UnsupportedOperation
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()


class _Text(io.TextIOWrapper):
    """Text in which control characters are escaped."""

    def write(self, text: str) -> int:
        return super().write(text.translate(_CONTROLS))


@contextmanager
def steady() -> Iterator[None]:
    """Makes the standard streams and the end by signals those of a good tool until the context ends.

    What a stream cannot show is escaped. Output that cannot be written (a full disk, a closed stream) ends nothing, but
    is told at the end. Whoever reads a pipe may stop reading. SIGTERM and SIGHUP end a command as errors do, so that
    temporary files go.

    Raises:
        SystemExit: with code 2 if output was lost, with 0 if its reader went away.
    """
    _fill_closed()
    before, raw = (sys.stdin, sys.stdout, sys.stderr), _steady_streams()
    handlers = _end_on_signals()
    ended: SystemExit | None = None
    try:
        yield
    except SystemExit as error:
        ended = error
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before
    _end(ended, raw.error if raw else None)


def _end(ended: SystemExit | None, lost: OSError | None) -> None:
    """Ends the program as it was to end, unless output was lost."""
    code = ended.code if ended else 0
    if lost is not None and lost.errno == errno.EPIPE and code in (0, 1):  # 1 is what click makes of it
        sys.exit(0)
    if lost is not None and code in (0, None):
        typer.echo(f"msn: Cannot write to standard output: {lost.strerror}.", err=True)
        sys.exit(2)
    if ended is not None:
        raise ended


def _fill_closed() -> None:
    """Opens what was closed, so that no file that is opened later is taken for it; to use it stays an error."""
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _steady_streams() -> _Raw | None:
    """Replaces standard output and error where they are streams of the system, as in tests they are not.

    Returns:
        What remembers the error of standard output.
    """
    if (found := _file(sys.stderr)) is not None:
        buffer = io.BufferedWriter(_Raw(found, stops=False))
        sys.stderr = io.TextIOWrapper(buffer, sys.stderr.encoding, "backslashreplace", line_buffering=True)
    out: Any = sys.stdout
    if out is not None and _file(out) is None:
        return None
    raw, lines = _Raw(_file(out), stops=True), bool(out and out.line_buffering)
    encoding = out.encoding if out else "utf-8"
    sys.stdout = _Text(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=lines)
    return raw


def _file(stream: Any) -> io.FileIO | None:
    buffer = getattr(stream, "buffer", None)
    found = getattr(buffer, "raw", buffer)  # there is no buffer where Python was asked for none
    return found if isinstance(found, io.FileIO) else None


def _end_on_signals() -> dict[int, Any]:
    """Has signals that ask for an end raise SystemExit; gives what they did before."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    before: dict[int, Any] = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread can
                before[number] = signal.signal(number, end)
    return before
