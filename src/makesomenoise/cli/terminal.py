"""Standard streams that no name, no locale and no full disk brings down, and an end by signals that leaves nothing."""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

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
    """A stream that keeps the error of writing to it instead of raising it, but for the first of a broken pipe."""

    def __init__(self, raw: io.FileIO | None):
        self._raw, self.error = raw, None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            if self.error is None:
                return self._written(data)
        except OSError as error:
            self.error = error
            if error.errno == errno.EPIPE:
                raise
        return len(data)

    def _written(self, data: bytes) -> int:
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
    before, raw = (sys.stdin, sys.stdout, sys.stderr), _steady_output()
    handlers = _end_on_signals()
    code: object = 0
    try:
        yield
    except SystemExit as ended:
        code = ended.code
        if raw is None:
            raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if raw is not None:
            with suppress(OSError):
                sys.stdout.flush()
        sys.stdin, sys.stdout, sys.stderr = before
    error = raw.error if raw is not None else None
    if error is not None and error.errno == errno.EPIPE and code in (0, 1):  # 1 is what click makes of it
        code = 0
    elif error is not None and code in (0, None):
        typer.echo(f"msn: Cannot write to standard output: {error.strerror}.", err=True)
        code = 2
    sys.exit(code)  # type: ignore[arg-type]


def _fill_closed() -> None:
    """Opens what was closed so that nothing is taken for it, in a way that using it is an error, or for errors none."""
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _steady_output() -> _Raw | None:
    """Replaces standard output; none where it is no stream of the system, as in tests."""
    out = sys.stdout
    buffer = getattr(out, "buffer", None)
    found = getattr(buffer, "raw", buffer)  # there is no buffer where Python was asked for none
    if out is not None and not isinstance(found, io.FileIO):
        return None
    raw, lines = _Raw(found), bool(out and out.line_buffering)
    encoding = out.encoding if out else "utf-8"
    sys.stdout = _Text(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=lines)
    return raw


def _end_on_signals() -> dict[int, object]:
    """Has signals that ask for an end raise SystemExit; gives what they did before."""

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    before: dict[int, object] = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread can
                before[number] = signal.signal(number, end)
    return before
