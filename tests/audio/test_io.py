"""Any sound file in, mono float32 out; chunked equals whole; whatever is wrong is said in one sentence."""

import io as _io
import os
import resource
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from makesomenoise.audio import io
from makesomenoise.errors import FileError

STEREO_48K = ("OGG", "OPUS")


def encoded(samples: np.ndarray, rate: int, file_format: str = "WAV", subtype: str = "FLOAT") -> bytes:
    buffer = _io.BytesIO()
    soundfile.write(buffer, samples, rate, format=file_format, subtype=subtype)
    return buffer.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("file_format", "subtype", "step"),
    [
        ("WAV", "PCM_U8", 2**-7),
        ("WAV", "PCM_16", 2**-15),
        ("WAV", "PCM_24", 2**-23),
        ("WAV", "PCM_32", 2**-24),
        ("WAV", "FLOAT", 1e-9),
        ("WAV", "DOUBLE", 1e-9),
        ("FLAC", "PCM_S8", 2**-7),
        ("FLAC", "PCM_16", 2**-15),
        ("FLAC", "PCM_24", 2**-23),
        ("AIFF", "PCM_16", 2**-15),
    ],
)
def test_lossless_files_come_back_within_one_step(file_format: str, subtype: str, step: float):
    samples = noise(5000)
    waveform = io.load(encoded(samples, 24_000, file_format, subtype))
    assert waveform.dtype == np.float32
    assert np.abs(waveform - samples).max() <= step


@pytest.mark.parametrize(
    ("file_format", "subtype"), [("OGG", "VORBIS"), STEREO_48K, ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_files_keep_length_and_pitch(file_format: str, subtype: str, channels: int, tone):
    rate = 48_000
    samples = tone(1.5, 1000.0, rate).numpy()[:, None].repeat(channels, 1)
    waveform = io.load(encoded(samples, rate, file_format, subtype))
    assert len(waveform) == 36_000
    assert int(np.abs(np.fft.rfft(waveform)).argmax()) == 1500  # 1000 Hz in steps of 1 / 1.5 s


@pytest.mark.parametrize("rate", [100, 8000, 11_025, 22_050, 32_000, 44_100, 96_000, 192_000])
def test_every_rate_becomes_24_khz(rate: int, tone):
    waveform = io.load(encoded(tone(2.0, rate / 8, rate).numpy(), rate))
    assert abs(len(waveform) - 48_000) <= 1
    if rate / 8 < 12_000:
        assert abs(int(np.abs(np.fft.rfft(waveform)).argmax()) - rate // 4) <= 1


def test_a_tone_above_the_new_nyquist_is_silent(tone):
    waveform = io.load(encoded(tone(1.0, 18_000.0, 48_000).numpy(), 48_000))
    assert np.abs(waveform[2400:-2400]).max() < 1e-3


def test_channels_are_averaged():
    samples = noise(3000, 10)
    np.testing.assert_allclose(io.load(encoded(samples, 24_000)), samples.mean(axis=1), atol=1e-6)


def test_path_bytes_and_file_object_agree(tmp_path: Path):
    data = encoded(noise(3000), 44_100)
    path = tmp_path / "noise.wav"
    path.write_bytes(data)
    expected = io.load(data)
    for source in (path, str(path), _io.BytesIO(data)):
        assert np.array_equal(io.load(source), expected)


@pytest.mark.parametrize("chunk_seconds", [0.01, 0.3, 100.0])
@pytest.mark.parametrize(
    ("file_format", "subtype"), [("WAV", "FLOAT"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), STEREO_48K]
)
@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_chunks_follow_each_other_to_the_whole(file_format: str, subtype: str, rate: int, chunk_seconds: float):
    data = encoded(noise(rate, 2), rate, file_format, subtype)
    chunks = list(io.stream(data, chunk_seconds=chunk_seconds))
    assert min(map(len, chunks)) > 0
    assert np.array_equal(np.concatenate(chunks), io.load(data))


def test_a_long_file_is_never_in_memory_whole(tmp_path: Path):
    path = tmp_path / "silence.flac"
    with io.writer(path, 8000) as write:
        for _ in range(60):
            write(torch.zeros(60 * 8000))
    tracemalloc.start()
    seconds = sum(map(len, io.stream(path))) / io.SAMPLE_RATE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 3600
    assert peak < 16e6  # the whole hour takes 345 MB


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 192_000])
def test_one_sample_is_a_sound(rate: int):
    assert len(io.load(encoded(np.array([0.5], np.float32), rate))) == max(1, 24_000 // rate)


def not_finite(value: float) -> bytes:
    samples = noise(1000)
    samples[500] = value
    return encoded(samples, 24_000)


WAV = encoded(noise(24_000), 24_000, subtype="PCM_16")
MP3 = encoded(noise(24_000), 24_000, "MP3", "MPEG_LAYER_III")
FLAC = encoded(noise(24_000), 24_000, "FLAC", "PCM_16")
BAD = {
    "empty": (b"", "the file is empty"),
    "zero-length": (encoded(noise(0), 24_000), "holds no samples"),
    "all-NaN": (encoded(np.full(1000, np.nan, np.float32), 24_000), "not finite"),
    "one-NaN": (not_finite(np.nan), "not finite"),
    "one-infinity": (not_finite(np.inf), "not finite"),
    "text": (b"Dear sound,\n" * 100, "not a sound file of a known kind"),
    "mp3 of 200 bytes": (MP3[:200], "it is truncated, and nothing of its sound can be decoded"),
    "flac of 60 bytes": (FLAC[:60], "flac"),
    "0 Hz header": (WAV[:24] + bytes(4) + WAV[28:], "0 Hz"),
    "1 Hz header": (WAV[:24] + b"\1\0\0\0" + WAV[28:], "its header says 1 Hz, expected 100 to"),
    "no channels": (WAV[:22] + bytes(2) + WAV[24:], "hannel"),
}


@pytest.fixture
def no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_ffmpeg")
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("as_path", [True, False])
def test_a_bad_file_is_refused_in_one_sentence(case: str, as_path: bool, tmp_path: Path):
    data, message = BAD[case]
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(io.AudioError, match=message) as caught:
        io.load(path if as_path else data)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert (str(path) if as_path else "the given bytes") in text


def test_missing_file_and_folder_are_refused(tmp_path: Path):
    with pytest.raises(io.AudioError, match="No such file"):
        io.load(tmp_path / "missing.wav")
    with pytest.raises(io.AudioError, match="it is a folder"):
        io.load(tmp_path)


@pytest.mark.parametrize("suffix", sorted(io.FORMATS))
def test_saved_files_are_read_back(suffix: str, tone, tmp_path: Path):
    waveform, path = tone(1.0), tmp_path / f"tone{suffix.upper()}"
    io.save(path, waveform)
    back = io.load(path)
    assert len(back) == 24_000
    lossless = suffix in {".wav", ".flac"}
    assert np.abs(back - waveform.numpy()).mean() < (2**-15 if lossless else 0.1)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_saving_clips_what_is_too_loud(tmp_path: Path):
    io.save(tmp_path / "loud.wav", torch.tensor([-3.0, 0.0, 3.0]))
    assert io.load(tmp_path / "loud.wav").tolist() == [-1.0, 0.0, 1.0 - 2**-15]


@pytest.mark.parametrize(
    ("name", "waveform", "message"),
    [
        ("out.txt", torch.zeros(10), "must end in one of .wav"),
        ("out", torch.zeros(10), "must end in one of .wav"),
        ("out.wav", torch.zeros(1, 10), r"expected a waveform \[S\]"),
        ("out.wav", torch.full((10,), torch.nan), "not finite"),
        ("no/such/folder.wav", torch.zeros(10), "No such file or directory"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_leaves_nothing(name: str, waveform: Tensor, message: str, tmp_path: Path):
    with pytest.raises(FileError, match=message):
        io.save(tmp_path / name, waveform)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_rate_is_refused(tmp_path: Path):
    with pytest.raises(io.AudioError, match="at 22050 Hz"):
        io.save(tmp_path / "out.opus", torch.zeros(10), 22_050)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_writer_leaves_the_old_file_alone(tmp_path: Path, tone):
    path = tmp_path / "out.wav"
    io.save(path, tone(0.1))
    before = path.read_bytes()

    def interrupted() -> None:
        with io.writer(path) as write:
            write(torch.zeros(1000))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_stream_equals_a_saved_whole(tmp_path: Path, tone):
    with io.writer(tmp_path / "chunks.wav") as write:
        for chunk in tone(3.0).split(7000):
            write(chunk)
    io.save(tmp_path / "whole.wav", tone(3.0))
    assert (tmp_path / "chunks.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path: Path, tone):
    with pytest.raises(FileError, match="Cannot write /dev/full: No space left on device"):
        io.save("/dev/full", tone(1.0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        for suffix in io.FORMATS:
            with pytest.raises(FileError, match="File too large"):
                io.save(tmp_path / f"a{suffix}", torch.from_numpy(noise(100_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_gets_wav(tmp_path: Path, tone):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    io.save(pipe, tone(1.0))
    reader.join(20)
    assert len(io.load(got[0])) == 24_000
