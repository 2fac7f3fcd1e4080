"""Progress is shown on a terminal alone, after a while alone, and on standard error alone."""

import os
import pty
import re
import subprocess
import sys

from makesomenoise.audio import io

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


def run(script: str, *arguments: object, terminal: bool = True) -> tuple[str, str]:
    """What a script writes to its standard output, and to its standard error, which is a terminal."""
    read, write = pty.openpty() if terminal else os.pipe()
    words, told = [sys.executable, "-c", script, *map(str, arguments)], b""
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=write, text=True, env=environment) as process:
        os.close(write)
        try:
            while piece := os.read(read, 65536):
                told += piece
        except OSError:  # a terminal that nobody writes to any more
            pass
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(read)
    assert process.returncode == 0, told
    return out, told.decode()


def shown(patience: float, quiet: bool = False, terminal: bool = True) -> tuple[str, str]:
    """What is shown of work that takes half a second."""
    return run(SCRIPT, patience, "quiet" if quiet else "loud", terminal=terminal)


def test_a_bar_is_shown_with_an_estimate_and_lines_go_where_they_belong():
    out, err = shown(patience=0.05)
    assert out == "a line\n"
    assert "Encoding" in err
    assert "left" in err


LONG = """
import sys, time
from makesomenoise.cli import progress
from makesomenoise.cli.main import app
from makesomenoise.tokenizer.model import AudioTokenizer
progress.PATIENCE_SECONDS = 0.0
encode = AudioTokenizer.stream_encode

def slowly(self, chunks):
    for codes in encode(self, chunks):
        time.sleep(0.02)
        yield codes

AudioTokenizer.stream_encode = slowly
app(sys.argv[1:])
"""


def test_the_bar_moves_within_one_long_file(models, tmp_path, tone):
    io.save(tmp_path / "long.wav", tone(60.0))
    words = ["encode", tmp_path / "long.wav", tmp_path / "long.msn", "--model", models.ours]
    out, err = run(LONG, *words)
    assert "60.00 s" in out
    shares = {int(share) for share in re.findall(r"(\d+)%", err)}
    assert len(shares - {0, 100}) >= 2
    assert (tmp_path / "long.msn").is_file()
    out, err = run(LONG, *words, terminal=False)
    assert ("60.00 s" in out, err) == (True, "")


def test_nothing_is_shown_of_what_is_soon_done_or_where_nobody_looks():
    for settings in ({"patience": 60.0}, {"patience": 0.05, "quiet": True}, {"patience": 0.05, "terminal": False}):
        out, err = shown(**settings)
        assert out == "a line\n"
        assert "Encoding" not in err
