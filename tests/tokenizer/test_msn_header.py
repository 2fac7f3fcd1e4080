"""A header is told without the codes; a file that is not whole is noticed all the same, in little memory."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from makesomenoise.tokenizer import bitstream, msn_header
from makesomenoise.tokenizer.msn_header import BitstreamError, read_header


def write(path: Path, codes: int = 31) -> bytes:
    held = bitstream.Bitstream(torch.arange(codes), codes * 1024 - 7, "0123456789abcdef")
    bitstream.write(path, held)
    return path.read_bytes()


@pytest.mark.parametrize("codes", [1, 2, 31, 1000])
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_a_header_says_what_the_whole_file_says(tmp_path: Path, monkeypatch, codes: int, block: int):
    monkeypatch.setattr(msn_header, "_BLOCK_BYTES", block)
    data = write(tmp_path / "a.msn", codes)
    header, whole = read_header(tmp_path / "a.msn"), bitstream.read(tmp_path / "a.msn")
    assert (header.code_count, header.file_bytes) == (codes, len(data))
    for name in ("seconds", "sample_count", "sample_rate", "fingerprint", "samples_per_code", "bits_per_code"):
        assert getattr(header, name) == getattr(whole, name)


def test_what_is_damaged_cut_or_longer_is_noticed(tmp_path: Path):
    data = write(tmp_path / "a.msn")
    for place in range(4, len(data)):
        (tmp_path / "b.msn").write_bytes(data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :])
        with pytest.raises(BitstreamError):
            read_header(tmp_path / "b.msn")
    for wrong in (*(data[:length] for length in range(len(data))), data + b"\0", b"RIFF" + bytes(100)):
        (tmp_path / "b.msn").write_bytes(wrong)
        with pytest.raises(BitstreamError):
            read_header(tmp_path / "b.msn")
    for name in ("missing.msn", "."):
        with pytest.raises(BitstreamError, match="Cannot read"):
            read_header(tmp_path / name)


def test_a_large_file_is_refused_by_its_header_without_torch(tmp_path: Path):
    (tmp_path / "large.wav").write_bytes(b"RIFF" + bytes(100))
    data = write(tmp_path / "a.msn")
    (tmp_path / "large.msn").write_bytes(data)
    for name in ("large.wav", "large.msn"):
        with (tmp_path / name).open("r+b") as file:
            file.truncate(3_000_000_000)  # holes, which take no room
    code = """
import re, sys
from typer.testing import CliRunner
from makesomenoise.cli.main import app
for name in sys.argv[1:]:
    assert CliRunner().invoke(app, ["info", name]).exit_code == 2
assert "torch" not in sys.modules
print(int(re.search("VmHWM: *\\t*(.*) kB", open("/proc/self/status").read())[1]) // 1024)
"""
    names = [str(tmp_path / "large.wav"), str(tmp_path / "large.msn")]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300
