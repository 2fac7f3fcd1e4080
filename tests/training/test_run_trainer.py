"""Several devices: each is a process of its own that Lightning starts with the command that was given."""

import subprocess
import sys
from pathlib import Path

import pytest

from makesomenoise.tokenizer.model import AudioTokenizer

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_msn_starts_the_processes_that_train_on_two_devices(tmp_path: Path) -> None:
    text = (ROOT / "configs" / "tokenizer" / "tiny.yaml").read_text()
    clips, settings, run = str(ROOT / "demo_clips"), tmp_path / "two.yaml", tmp_path / "run"
    text = text.replace("[demo_clips]", f"['{clips}']").replace(
        "steps: 20, valid_every: 10", "steps: 2, valid_every: 2"
    )
    settings.write_text(text.replace("threads: 1", "threads: 1, devices: 2"))
    command = [sys.executable, "-m", "makesomenoise", "train", "tokenizer", str(settings), "--run", str(run)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    assert AudioTokenizer.load(run / "model", vocoder="griffin-lim").config.window.codes == 96
