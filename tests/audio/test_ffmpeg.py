"""What libsndfile cannot read comes through ffmpeg's pipe; why it does not is told apart."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.audio.ffmpeg import FfmpegError, Told, samples

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
FOREIGN = b"a kind that nobody knows"


def made(tmp_path: Path, tone, suffix: str, *options: str) -> Path:
    io.save(tmp_path / "tone.wav", tone(1.0, 440.0))
    path = tmp_path / f"tone{suffix}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "tone.wav", *options, path], check=True)
    return path


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program in ffmpeg's place."""

    def put(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "ffmpeg").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "ffmpeg").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        (tmp_path / "sound.xyz").write_bytes(FOREIGN)
        return tmp_path / "sound.xyz"

    return put


@needs_ffmpeg
def test_a_foreign_file_is_read_from_wherever_it_is(tmp_path: Path, tone, monkeypatch: pytest.MonkeyPatch):
    m4a = made(tmp_path, tone, ".m4a")
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    waveform = io.load(m4a)
    assert abs(len(waveform) - 24_000) < 3_000
    assert abs(int(np.abs(np.fft.rfft(waveform)).argmax()) * 24_000 / len(waveform) - 440.0) < 2.0
    assert np.array_equal(io.load(m4a.read_bytes()), waveform)
    with m4a.open("rb") as file:
        assert np.array_equal(io.load(file), waveform)
    with pytest.warns(io.AudioWarning, match=r"goes on with another file"):
        assert np.array_equal(io.load(m4a.read_bytes() * 2), waveform)
    assert list((tmp_path / "copies").iterdir()) == []


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_what_is_cut_off_is_read_and_said(suffix: str, tmp_path: Path, tone):
    data = made(tmp_path, tone, suffix, "-c:a", "libopus" if suffix == ".webm" else "pcm_s16le").read_bytes()
    cut = data[: len(data) * 2 // 3]
    with pytest.warns(io.AudioWarning, match=rf"is truncated: {len(cut)} bytes of at least \d+ are there"):
        assert 4_000 < len(io.load(cut)) < 20_000
    with pytest.raises(io.AudioError, match="is truncated"):
        io.load(cut, strict=True)


@needs_ffmpeg
@pytest.mark.parametrize("data", [b"#EXTM3U\nhttp://example.com/sound.mp3\n", b"words " * 1000])
def test_what_is_no_sound_is_refused(data: bytes, tmp_path: Path):
    path = tmp_path / "sound.m3u8"
    path.write_bytes(data)
    with pytest.raises(FfmpegError):
        list(samples(path, 24_000, Told()))
    with pytest.raises(io.AudioError, match="not a sound file of a known kind"):
        io.load(path)


@needs_ffmpeg
def test_a_picture_holds_no_sound_track(tmp_path: Path):
    path = tmp_path / "picture.bmp"
    path.write_bytes(b"BM" + (62).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little"))
    header = np.array([40, 1, 1, 1 | 24 << 16, 0, 4, 0, 0, 0, 0], "<u4").tobytes()
    path.write_bytes(path.read_bytes() + header + bytes(8))
    with pytest.raises(io.AudioError, match="it holds no sound track"):
        io.load(path)


def test_the_program_decodes_mixes_and_resamples_into_a_pipe(program, tmp_path: Path):
    sound = program(f'echo "$@" > "{tmp_path}/args"; head -c 1000004 /dev/zero')
    assert io.load(sound, 16_000).tolist() == [0.0] * 250_001
    given = (tmp_path / "args").read_text()
    assert "-vn -sn -dn -ac 1 -ar 16000" in given
    assert f"file:{sound}" in given
    assert given.endswith("pipe:1\n")


def test_a_program_that_is_ended_is_told_apart(program):
    with pytest.raises(io.AudioError, match="was ended by signal 9, perhaps for want of memory"):
        io.load(program("kill -9 $$"))


def test_a_program_that_cannot_start_is_told_apart(program):
    sound = program("")
    Path(os.environ["PATH"].split(":")[0], "ffmpeg").write_bytes(b"no program")
    with pytest.raises(io.AudioError, match="ffmpeg cannot be started"):
        io.load(sound)


def test_what_the_program_complains_of_is_said(program):
    sound = program('echo "[aac @ 0x1] [error] Invalid data" >&2; head -c 4000 /dev/zero')
    with pytest.warns(io.AudioWarning, match=r"damaged or truncated \(ffmpeg: Invalid data\); it holds 0.04 s"):
        assert len(io.load(sound)) == 1000


def test_a_length_that_is_stated_and_not_there_is_said(program):
    lines = "[info] Input #0, asf\n[info]   Duration: 00:00:09.50, start: 0\n[info]   Stream #0:0: Audio: wma"
    sound = program(f"printf '{lines}\\n' >&2; head -c 4000 /dev/zero")
    with pytest.warns(io.AudioWarning, match=r"truncated; it promises 9.50 s of sound and holds 0.04 s"):
        io.load(sound)


def test_a_reader_that_stops_early_ends_the_program(program):
    chunks = io.stream(program("exec cat /dev/zero"))
    assert len(next(chunks)) > 0
    chunks.close()  # waits for the program, which would go on for ever


def test_without_the_program_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sound.m4a").write_bytes(b"\0\0\0\x10ftypM4A \0\0\0\0")
    with pytest.raises(io.AudioError, match=r"begins as MP4, .*ffmpeg reads many more kinds, but is not installed"):
        io.load(tmp_path / "sound.m4a")
