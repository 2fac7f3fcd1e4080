"""Standard streams that are full, closed, read no further or of another encoding; ends by signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MSN = f"'{sys.executable}' -m makesomenoise"


def shell(command: str, *paths: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of bash in which `msn` is ours, and `$1`, `$2`, ... are paths."""
    line = f'msn() {{ {MSN} "$@"; }}; set -o pipefail; {command}'
    environ = os.environ | environment
    arguments = ["bash", "-c", line, "bash", *map(str, paths)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, env=environ, errors="surrogateescape")


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """An .msn file, under a name that is no UTF-8 and would clear a screen."""
    import torch

    from makesomenoise.tokenizer import bitstream

    path = tmp_path / os.fsdecode(b"caf\xe9 \xc3\xa9 \x1b[2J.msn")
    bitstream.write(path, bitstream.Bitstream(torch.arange(5), 5000, "0" * 16))
    return path


def test_a_full_disk_behind_standard_output_is_one_sentence(coded: Path):
    done = shell('msn info "$1" > /dev/full', coded)
    assert done.stderr == "msn: Cannot write to standard output: No space left on device.\n"
    assert done.returncode == 2
    assert shell("msn --help > /dev/full").returncode == 2


def test_a_closed_standard_output_is_one_sentence(coded: Path):
    done = shell('msn info "$1" >&-', coded)
    assert done.stderr == "msn: Cannot write to standard output: Bad file descriptor.\n"
    assert done.returncode == 2


def test_closed_errors_and_input_change_nothing(coded: Path):
    done = shell('msn info "$1" 2>&- <&-', coded)
    assert done.returncode == 0
    assert "5 of 10 bits" in done.stdout
    for sink in ("2>&-", "2>/dev/full"):
        assert shell(f"msn info missing {sink}").returncode == 2


def test_a_reader_that_has_enough_is_no_error(coded: Path):
    done = shell('msn info "$1" | true', coded)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C.UTF-8"},
    ],
    ids=str,
)
def test_names_are_escaped_in_every_locale(environment: dict[str, str], coded: Path):
    assert shell('msn info "$1"', coded, **environment).returncode == 0
    done = shell('msn info "$1.gone"', coded, **environment)
    assert done.returncode == 2
    assert "\\udce9" in done.stderr
    assert "\\x1b[2J.msn.gone" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_signal_ends_a_command_as_an_error_does(tmp_path: Path):
    code = (
        "import sys, time; from makesomenoise.cli.terminal import steady\n"
        "from makesomenoise.files import atomic_write\n"
        "with steady(), atomic_write(sys.argv[1]) as temporary:\n    print('ready', flush=True); time.sleep(60)"
    )
    # nohup and shells that start jobs in the background have signals ignored, which a process hands on to its children.
    usual = "import signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.signal(signal.SIGHUP, signal.SIG_DFL)"
    code = f"{usual}; signal.signal(signal.SIGINT, signal.default_int_handler)\n{code}"
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(60) in (128 + number, -number, 1)
        assert time.monotonic() - began < 30
        process.stdout.close()
        assert list(tmp_path.iterdir()) == []
