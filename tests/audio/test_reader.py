"""All there is of a file is read, whatever its header says; what is missing is one sentence, and refused if strict."""

import io as _io
import os
import struct
import threading
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makesomenoise.audio import io, mp3, ogg
from makesomenoise.audio.source import SourceBytes

RATE = 24_000
SAMPLES = (np.random.default_rng(0).uniform(-0.5, 0.5, RATE) * 32767).astype("<i2")
WAVEFORM = SAMPLES.astype(np.float32) / 32768


def chunk(name: bytes, body: bytes, size: int | None = None, order: str = "<") -> bytes:
    return name + struct.pack(f"{order}I", len(body) if size is None else size) + body


def wav(*chunks: bytes, size: int = 0, magic: bytes = b"RIFF") -> bytes:
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    return chunk(magic, b"WAVE" + form + b"".join(chunks), size or None)


def aiff(sound: bytes, size: int | None = None, frames: int = RATE) -> bytes:
    rate = struct.pack(">HQ", 16383 + 14, RATE << 49)
    common = chunk(b"COMM", struct.pack(">HIH", 1, frames, 16) + rate, order=">")
    return chunk(b"FORM", b"AIFF" + common + chunk(b"SSND", bytes(8) + sound, size, ">"), order=">")


def caf(sound: bytes, size: int) -> bytes:
    described = struct.pack(">dIIIIII", RATE, int.from_bytes(b"lpcm", "big"), 0, 2, 1, 1, 16)
    return b"caff\0\1\0\0" + b"desc" + struct.pack(">q", 32) + described + b"data" + struct.pack(">qI", size, 0) + sound


def w64(sound: bytes, size: int) -> bytes:
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    form = b"fmt " + tail + struct.pack("<Q", 40) + struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    return (
        head + struct.pack("<Q", size + 80) + b"wave" + tail + form + b"data" + tail + struct.pack("<Q", size) + sound
    )


def au(sound: bytes, size: int) -> bytes:
    return b".snd" + struct.pack(">IIIII", 24, size, 3, RATE, 1) + sound


def encoded(file_format: str, subtype: str, samples: np.ndarray = SAMPLES, rate: int = RATE) -> bytes:
    buffer = _io.BytesIO()
    soundfile.write(buffer, samples, rate, format=file_format, subtype=subtype)
    return buffer.getvalue()


SOUND, BIG = SAMPLES.tobytes(), SAMPLES.astype(">i2").tobytes()
DATA = chunk(b"data", SOUND)
FLAC, OPUS, VORBIS = encoded("FLAC", "PCM_16"), encoded("OGG", "OPUS"), encoded("OGG", "VORBIS")
MP3 = encoded("MP3", "MPEG_LAYER_III")
RF64 = chunk(b"ds64", struct.pack("<QQQI", 2**64 - 1, 2**64 - 1, 0, 0))
ID3 = b"ID3\4\0\0\0\0\0\x14" + bytes(20)
TAG = b"TAG" + b"name".ljust(125, b"\0")
WHOLE = {
    "wav": wav(DATA),
    "wav, sizes of 0": chunk(b"RIFF", wav(chunk(b"data", SOUND, 0))[8:], 0),
    "wav, sizes of all ones": wav(chunk(b"data", SOUND, 2**32 - 1), size=2**32 - 1),
    "wav, size of 2 GiB": wav(chunk(b"data", SOUND, 2**31 - 1)),
    "wav, sound in two chunks": wav(
        chunk(b"data", SOUND[:20_000]), chunk(b"LIST", b"INFO"), chunk(b"data", SOUND[20_000:])
    ),
    "wav, no size, joined": wav(chunk(b"data", SOUND[:20_000], 0)) + wav(chunk(b"data", SOUND[20_000:], 0)),
    "wav, joined": wav(chunk(b"data", SOUND[:20_000])) + wav(chunk(b"data", SOUND[20_000:])),
    "wav, odd chunk without padding": wav(chunk(b"LIST", b"odd"), DATA),
    "wav behind a tag": ID3 + wav(DATA),
    "wav before a tag": wav(chunk(b"data", SOUND, 0)) + TAG,
    "rf64, no size": wav(RF64, chunk(b"data", SOUND, 2**32 - 1), size=2**32 - 1, magic=b"RF64"),
    "aiff": aiff(BIG),
    "aiff, sizes of 0": aiff(BIG, 0, 0),
    "aiff, sizes of all ones": aiff(BIG, 2**32 - 1, 2**32 - 1),
    "caf": caf(BIG, len(BIG) + 4),
    "caf, no size": caf(BIG, -1),
    "caf, size of 0": caf(BIG, 0),
    "w64": w64(SOUND, len(SOUND) + 24),
    "w64, size of 0": w64(SOUND, 0),
    "w64 before a tag": w64(SOUND, len(SOUND) + 24) + TAG,
    "au": au(BIG, len(BIG)),
    "au, no size": au(BIG, 2**32 - 1),
    "au, size of 0": au(BIG, 0),
    "au, joined": au(BIG[:20_000], 20_000) + au(BIG[20_000:], len(BIG) - 20_000),
    "flac": FLAC,
    "flac, no length": FLAC[:21] + bytes([FLAC[21] & 0xF0]) + bytes(4) + FLAC[26:],
    "flac between tags": ID3 + FLAC + TAG,
    "flac, joined": encoded("FLAC", "PCM_16", SAMPLES[:10_000]) + encoded("FLAC", "PCM_16", SAMPLES[10_000:]),
}


@pytest.fixture(autouse=True)
def no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing here may need another program."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def silent():
    """No warning is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", io.AudioWarning)
        yield


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("as_path", [True, False])
def test_all_there_is_is_read(name: str, as_path: bool, tmp_path: Path):
    (tmp_path / "sound").write_bytes(WHOLE[name])
    assert np.array_equal(io.load(tmp_path / "sound" if as_path else WHOLE[name], strict=True), WAVEFORM)


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("name", [b"caf\xe9.wav", b"new\nline.wav", b"-x.wav", b"x" * 251 + b".wav"])
def test_every_name_is_read(name: bytes, tmp_path: Path):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(WHOLE["wav"])
    assert np.array_equal(io.load(path), WAVEFORM)


CUT = ("wav", "wav, sound in two chunks", "aiff", "caf", "w64", "au", "flac", "flac between tags")


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("share", [0.3, 0.55, 0.9])
def test_what_a_header_promises_and_is_not_there_is_said(name: str, share: float):
    data = WHOLE[name][: int(len(WHOLE[name]) * share)]
    with pytest.warns(io.AudioWarning) as caught:
        waveform = io.load(data)
    (warning,) = caught
    assert "truncated" in str(warning.message)
    assert str(warning.message).endswith("; what is there was read.")
    assert np.array_equal(waveform, WAVEFORM[: len(waveform)])
    assert (share - 0.3) * RATE < len(waveform) <= share * RATE
    with pytest.raises(io.AudioError, match="truncated"):
        io.load(data, strict=True)


def test_the_sentence_says_how_much(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(wav(DATA)[: 44 + 12_000])
    with pytest.warns(io.AudioWarning, match=r"a\.wav is truncated; it promises 1\.00 s of sound and holds 0\.25 s; "):
        io.load(tmp_path / "a.wav")


@pytest.mark.usefixtures("silent")
def test_an_empty_chunk_of_sound_is_no_guess():
    with pytest.raises(io.AudioError, match="holds no samples"):
        io.load(wav(chunk(b"data", b""), chunk(b"LIST", bytes(100))))


def test_what_lies_behind_the_sound_is_said():
    with pytest.warns(io.AudioWarning, match="has 300 bytes behind its end that are no sound, which are left out"):
        assert np.array_equal(io.load(wav(DATA) + b"\1" * 300), WAVEFORM)
    other = wav(DATA).replace(struct.pack("<I", RATE), struct.pack("<I", 8000), 1)
    with pytest.warns(io.AudioWarning, match="goes on with sound of another format, which is left out"):
        assert np.array_equal(io.load(wav(DATA) + other), WAVEFORM)


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("data", [OPUS, VORBIS], ids=["opus", "vorbis"])
def test_every_link_of_a_chain_is_read(data: bytes):
    once = io.load(data)
    assert np.array_equal(io.load(ID3 + data), once)
    (resampled,) = {len(io.load(data * 3)) // 3}
    assert resampled == len(once)
    twice = io.load(data * 2)
    assert np.abs(twice[:23_000] - once[:23_000]).max() < 1e-3
    assert np.abs(twice[25_000:] - once[1_000:]).max() < 1e-3


@pytest.mark.parametrize("data", [OPUS, VORBIS], ids=["opus", "vorbis"])
def test_what_is_there_of_a_page_that_is_cut_off_is_read(data: bytes):
    once, cut = io.load(data), data[: len(data) * 3 // 4]
    with pytest.warns(io.AudioWarning, match="is truncated: it is cut off within a page; it holds"):
        waveform = io.load(cut)
    assert 8_000 < len(waveform) < 23_000
    assert np.abs(waveform[:8_000] - once[:8_000]).max() < 1e-3


def test_a_damaged_page_is_said():
    data = bytearray(encoded("OGG", "VORBIS", np.tile(SAMPLES, 4)))
    data[len(data) // 2] ^= 255
    with pytest.warns(io.AudioWarning, match="is damaged in 1 places, where sound is missing"):
        assert RATE < len(io.load(bytes(data))) <= 4 * RATE


def test_the_last_page_is_missed():
    data = encoded("OGG", "VORBIS", np.tile(SAMPLES, 4))
    with pytest.warns(io.AudioWarning, match="it has no last page"):
        io.load(data[: data.rfind(b"OggS")])


def with_gap(data: bytes, samples: int) -> bytes:
    """An Ogg file with a gap of `samples` of 48 kHz after its first page of sound, and the last position it had."""
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    pages = [data[at:end] for at, end in pairwise([*starts, len(data)])]
    for number, page in enumerate(pages[3:-1], start=3):
        moved = page[:6] + struct.pack("<q", struct.unpack("<q", page[6:14])[0] + samples) + page[14:]
        pages[number] = moved[:22] + ogg._checksum(moved) + moved[26:]
    return b"".join(pages)


def test_a_gap_shorter_than_a_packet_is_no_truncation():
    data = with_gap(encoded("OGG", "OPUS", np.tile(SAMPLES, 4)), 480)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        waveform = io.load(data, RATE)
    assert 0 < soundfile.info(_io.BytesIO(data)).frames - len(waveform) <= RATE * 20 // 1000


def test_opus_begins_with_its_first_sample():
    click = np.zeros(48_000, np.float32)
    click[24_000] = 0.9
    waveform = io.load(encoded("OGG", "OPUS", click, 48_000))
    assert len(waveform) == RATE
    assert abs(int(np.abs(waveform).argmax()) - 12_000) <= 1


def frames_of(data: bytes) -> list[bytes]:
    """The frames of an MP3 without the one that notes their number."""
    found, source = [], SourceBytes(_io.BytesIO(data), "mp3")
    at = 0
    while frame := mp3._frame(source, at):
        found.append(data[at : at + frame.size])
        at += frame.size
    return [frame for frame in found if b"Xing" not in frame and b"Info" not in frame]


@pytest.fixture(scope="module")
def bare() -> bytes:
    """An MP3 that begins loud and goes on soft, as variable bitrates go, and notes nothing."""
    loud = frames_of(encoded("MP3", "MPEG_LAYER_III", np.tile(SAMPLES, 2)))
    soft = frames_of(encoded("MP3", "MPEG_LAYER_III", (np.tile(SAMPLES, 8) // 3000).astype("<i2")))
    return b"".join(loud[:5] + soft[20:])


@pytest.mark.usefixtures("silent")
def test_an_mp3_without_a_note_is_read_to_its_end(bare: bytes):
    expected = len(frames_of(bare)) * 576  # of 24 kHz
    assert abs(len(io.load(bare)) - expected) <= 1152
    assert abs(len(io.load(ID3 + bare + TAG)) - expected) <= 1152
    assert abs(len(io.load(b"\0" * 100 + bare)) - expected) <= 1152


@pytest.mark.usefixtures("silent")
def test_joined_mp3_is_read_to_its_end(bare: bytes):
    once = io.load(MP3)
    assert len(once) == RATE
    for between in (b"", ID3, TAG, TAG + ID3):
        assert np.array_equal(io.load(MP3 + between + MP3), np.concatenate((once, once)))
    expected = RATE + len(frames_of(bare)) * 576
    assert abs(len(io.load(MP3 + bare)) - expected) <= 1152
    assert abs(len(io.load(bare + MP3)) - expected) <= 1152


def layer_two(kbits: int, frames: int) -> bytes:
    """Silent frames of 1152 samples at 24 kHz of MPEG-2 layer II, of one of its bitrates."""
    head = 0xFFF50000 | kbits << 12 | 1 << 10 | 3 << 6
    sizes = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    return head.to_bytes(4, "big").ljust(144 * sizes[kbits] * 1000 // RATE, b"\0") * frames


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("data", [layer_two(14, 40), layer_two(1, 10) + layer_two(14, 30), ID3 + layer_two(3, 40)])
def test_mp2_is_read_to_its_end_and_promises_nothing(data: bytes):
    assert len(io.load(data, strict=True)) == 40 * 1152


def test_mp2_that_is_cut_off_is_said():
    with pytest.warns(io.AudioWarning, match="is truncated: its last frame is cut off; it holds 1.87 s"):
        assert len(io.load(layer_two(14, 40)[:-1])) == 39 * 1152


@pytest.mark.parametrize(("head", "name"), [(b"wvpk", "WavPack"), (b"RIFF\0\0\1\0AVI LIST", "AVI")])
def test_what_others_read_is_named_and_said_to_be_cut_off(head: bytes, name: str):
    data = head.ljust(4, b"\0") + (b"" if name == "AVI" else struct.pack("<I", 5000)) + bytes(1000)
    with pytest.raises(io.AudioError, match=r"it is truncated: \d+ bytes of at least \d+ are there"):
        io.load(data)


def test_a_header_without_samples_is_named():
    with pytest.raises(io.AudioError, match="it ends before its first sample"):
        io.load(wav())


@pytest.mark.usefixtures("silent")
def test_a_note_of_no_frames_is_no_promise():
    place = MP3.find(b"Info") if b"Info" in MP3 else MP3.find(b"Xing")
    assert abs(len(io.load(MP3[: place + 8] + bytes(4) + MP3[place + 12 :])) - RATE) <= 1152


def test_an_mp3_that_is_cut_off_is_said(capfd: pytest.CaptureFixture[str]):
    with pytest.warns(io.AudioWarning, match=r"truncated; it promises (1\.\d|0\.9)\d s of sound and holds 0\.[45]\d s"):
        waveform = io.load(MP3[: len(MP3) // 2])
    assert np.abs(waveform[:8000] - io.load(MP3)[:8000]).max() < 1e-3
    assert capfd.readouterr().err == ""


def test_damage_within_an_mp3_is_said(capfd: pytest.CaptureFixture[str]):
    frames = frames_of(encoded("MP3", "MPEG_LAYER_III", np.tile(SAMPLES, 3)))
    data = b"".join(frames[:40]) + b"\x7f" * 700 + b"".join(frames[40:])
    with pytest.warns(io.AudioWarning, match="is damaged in 1 places"):
        assert abs(len(io.load(data)) - len(frames) * 576) <= 4 * 576
    assert capfd.readouterr().err == ""


def test_values_that_are_no_numbers_are_refused_wherever_they_are():
    samples = np.zeros(3 * RATE, np.float32)
    samples[-1] = np.inf
    with pytest.raises(io.AudioError, match="not finite numbers"):
        io.load(encoded("WAV", "FLOAT", samples))


@pytest.mark.parametrize(
    ("scale", "divisor"), [(32768.0, "32768"), (2.0**31, "2.14748e\\+09"), (20.0, "9.99"), (3.0, "")]
)
def test_float_sound_far_beyond_full_scale_is_scaled_and_said(scale: float, divisor: str):
    data = encoded("WAV", "FLOAT", WAVEFORM * scale)
    if not divisor:
        assert np.array_equal(io.load(data), WAVEFORM * scale)
        return
    with pytest.warns(io.AudioWarning, match=f"far beyond full scale, which is 1: it is divided by {divisor}"):
        waveform = io.load(data)
    assert np.abs(waveform).max() <= 1.0
    np.testing.assert_allclose(waveform / np.abs(waveform).max(), WAVEFORM / np.abs(WAVEFORM).max(), atol=1e-6)


def test_values_of_no_sound_are_refused():
    with pytest.raises(io.AudioError, match=r"its peak is 1e\+30, where full scale is 1"):
        io.load(encoded("WAV", "FLOAT", np.full(1000, 1e30, np.float32)))


def through_a_pipe(data: bytes, read: Callable[[str], np.ndarray], tmp_path: Path) -> np.ndarray:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    writer.start()
    found = read(str(tmp_path / "pipe"))
    writer.join(20)
    return found


@pytest.mark.parametrize(
    "data", [wav(DATA), FLAC, wav(chunk(b"data", SOUND * 400, 0))], ids=["wav", "flac", "long wav"]
)
def test_pipes_are_read(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "copies"))
    waveform = through_a_pipe(data, io.load, tmp_path)
    assert np.array_equal(waveform[:RATE], WAVEFORM)
    assert list((tmp_path / "copies").iterdir()) == []


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch):
    for stdin in (_io.TextIOWrapper(_io.BytesIO(wav(DATA))), None):
        monkeypatch.setattr("sys.stdin", stdin)
        if stdin is not None:
            assert np.array_equal(io.load("-"), WAVEFORM)
        else:
            with pytest.raises(io.AudioError, match="Cannot read standard input: it is closed"):
                io.load(Path("-"))


def test_no_room_for_a_copy_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(io.AudioError, match=r"no room for a copy of it in .* \(No space left on device\)"):
        through_a_pipe(bytes(2**24 + 1), io.load, tmp_path)


def test_a_device_is_refused():
    for device in ("/dev/null", "/dev/zero"):
        with pytest.raises(io.AudioError, match="it is a device"):
            io.load(device)


def test_the_checksum_of_a_page_is_that_of_ogg():
    page = OPUS[: OPUS.index(b"OggS", 4)]
    assert ogg._checksum(page) == page[22:26]
