"""What libsndfile cannot open is read through ffmpeg where there is one, and refused as before where there is none."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.audio.ffmpeg import converted

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


@pytest.fixture
def m4a(tmp_path: Path, tone) -> Path:
    io.save(tmp_path / "tone.wav", tone(1.0, 440.0))
    path = tmp_path / "tone.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "tone.wav", path], check=True)
    return path


@needs_ffmpeg
def test_a_foreign_file_is_read(m4a: Path):
    waveform = io.load(m4a)
    assert abs(len(waveform) - 24_000) < 3_000
    assert abs(int(np.abs(np.fft.rfft(waveform)).argmax()) * 24_000 / len(waveform) - 440.0) < 2.0
    assert np.array_equal(io.load(m4a.read_bytes()), waveform)
    with m4a.open("rb") as file:
        assert np.array_equal(io.load(file), waveform)


@needs_ffmpeg
@pytest.mark.parametrize("data", [b"", b"#EXTM3U\nhttp://example.com/sound.mp3\n", b"words " * 1000])
def test_what_is_no_sound_is_not_converted(data: bytes, tmp_path: Path):
    path = tmp_path / "sound.m3u8"
    path.write_bytes(data)
    with converted(path) as result:
        assert result is None


def test_the_program_gets_the_file_and_its_result_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tone):
    """A program that stands in for ffmpeg: it copies a sound to where it is told to write."""
    io.save(tmp_path / "sound.wav", tone(0.5, 440.0))
    program = tmp_path / "ffmpeg"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\nexec cp "{tmp_path}/sound.wav" "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "sound.xyz").write_bytes(b"foreign")
    assert len(io.load(tmp_path / "sound.xyz")) == 12_000
    with converted(tmp_path / "sound.xyz") as result:
        assert result is not None
    assert not result.parent.exists()


def test_without_the_program_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sound.m4a").write_bytes(b"foreign")
    with pytest.raises(io.AudioError, match="others with ffmpeg installed"):
        io.load(tmp_path / "sound.m4a")
