"""Progress is shown on a terminal alone, after a while alone, and on standard error alone."""

import os
import pty
import subprocess
import sys

SCRIPT = """
import sys, time
from makesomenoise.cli import progress
progress.PATIENCE_SECONDS = float(sys.argv[1])
with progress.progress("Encoding", quiet=sys.argv[2] == "quiet") as report:
    for done in range(5):
        report(done, 5)
        time.sleep(0.1)
    print("a line")
"""


def shown(patience: float, quiet: bool = False, terminal: bool = True) -> tuple[str, str]:
    """What a script writes to its standard output, and to its standard error."""
    read, write = pty.openpty() if terminal else os.pipe()
    words = [sys.executable, "-c", SCRIPT, str(patience), "quiet" if quiet else "loud"]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=write, text=True, check=True, env={**os.environ, "TERM": "xterm"}
    )
    os.close(write)
    told = b""
    try:
        while piece := os.read(read, 65536):
            told += piece
    except OSError:  # a terminal that nobody writes to any more
        pass
    os.close(read)
    return done.stdout, told.decode()


def test_a_bar_is_shown_with_an_estimate_and_lines_go_where_they_belong():
    out, err = shown(patience=0.05)
    assert out == "a line\n"
    assert "Encoding" in err
    assert "left" in err


def test_nothing_is_shown_of_what_is_soon_done_or_where_nobody_looks():
    for settings in ({"patience": 60.0}, {"patience": 0.05, "quiet": True}, {"patience": 0.05, "terminal": False}):
        out, err = shown(**settings)
        assert out == "a line\n"
        assert "Encoding" not in err
