"""ONNX Runtime computes, and tells nobody of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENCODED = """
import numpy as np
from makesomenoise import AudioTokenizer
AudioTokenizer.load("default").encode(np.zeros((1, 24_000), np.float32))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_it_leaves_no_identifier_and_opens_no_connection(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path))
    sockets = (
        "import os; links = [os.readlink(f'/proc/self/fd/{one}') for one in os.listdir('/proc/self/fd') "
        "if os.path.lexists(f'/proc/self/fd/{one}')]; print([link for link in links if link.startswith('socket')])"
    )
    command = [sys.executable, "-c", ENCODED + sockets]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
