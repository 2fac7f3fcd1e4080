"""Codes survive the file exactly; anything that is not the file that was written is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.errors import FileError
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.bitstream import Bitstream, BitstreamError

FINGERPRINT = "0123456789abcdef"


def example(seconds: float = 1.0) -> Bitstream:
    samples = round(seconds * 24_000)
    codes = np.random.default_rng(0).integers(1024, size=-(-samples // 1024))
    return Bitstream(codes, samples, FINGERPRINT)


@pytest.mark.parametrize("bits", [1, 7, 8, 10, 13, 31])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 1000])
def test_packing_is_exact_and_tight(bits: int, count: int):
    codes = np.random.default_rng(count).integers(1 << bits, size=count)
    data = bitstream.pack(codes, bits)
    assert len(data) == -(-count * bits // 8)
    assert np.array_equal(bitstream.unpack(data, count, bits), codes)


def test_packed_bits_are_in_the_stated_order():
    assert bitstream.pack(np.array([0b1000000001, 0b0000000011]), 10) == bytes([0b10000000, 0b01000000, 0b00110000])


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 24_000])
def test_a_file_holds_everything(samples: int, tmp_path: Path):
    written = replace(example(samples / 24_000), sample_count=samples)
    bitstream.write(tmp_path / "a.msn", written)
    read = bitstream.read(tmp_path / "a.msn")
    assert np.array_equal(read.codes, written.codes)
    assert replace(read, codes=written.codes).__dict__ == written.__dict__
    assert read.seconds == samples / 24_000


def test_ten_seconds_take_at_most_330_bytes():
    data = bitstream.to_bytes(example(10.0))
    assert len(data) == 294 + 32


def test_an_hour_goes_through():
    hour = example(3600.0)
    data = bitstream.to_bytes(hour)
    assert len(data) == -(-84_375 * 10 // 8) + 32
    assert np.array_equal(bitstream.from_bytes(data).codes, hour.codes)


def test_every_flipped_byte_is_noticed():
    data = bitstream.to_bytes(example())
    for place in range(len(data)):
        for change in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[place] ^= change
            with pytest.raises(BitstreamError):
                bitstream.from_bytes(bytes(damaged))


def test_every_truncation_and_every_appended_byte_is_noticed():
    data = bitstream.to_bytes(example())
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            bitstream.from_bytes(data[:length])
    with pytest.raises(BitstreamError, match="checksum"):
        bitstream.from_bytes(data + b"\0")


def resealed(data: bytearray) -> bytes:
    """Gives changed bytes a checksum that matches."""
    body = bytes(data[:-4])
    return body + bitstream.zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize("place", range(4, 28))
@pytest.mark.parametrize("value", [0, 255])
def test_a_header_that_lies_under_a_right_checksum_never_crashes(place: int, value: int):
    data = bytearray(bitstream.to_bytes(example()))
    data[place] = value
    try:
        read = bitstream.from_bytes(resealed(data))
    except BitstreamError:
        return
    assert len(read.codes) == -(-read.sample_count // read.samples_per_code)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an .msn file"),
        (b"RIFF" + bytes(100), "not an .msn file; make one with `msn encode`"),
        (b"M", "not an .msn file"),
        (bitstream.to_bytes(example())[:20], "truncated"),
    ],
)
def test_foreign_bytes_are_refused(data: bytes, message: str):
    with pytest.raises(BitstreamError, match=message):
        bitstream.from_bytes(data)


def test_another_version_is_named():
    data = bytearray(bitstream.to_bytes(example()))
    data[4] = 9
    with pytest.raises(BitstreamError, match="of version 9; this program reads version 1"):
        bitstream.from_bytes(resealed(data))


@pytest.mark.parametrize("code", [-1, 1024])
def test_a_code_outside_the_codebook_is_refused_and_leaves_nothing(code: int, tmp_path: Path):
    wrong = example()
    wrong.codes[3] = code
    with pytest.raises(BitstreamError, match=rf"Code {code} lies outside \[0, 1024\)"):
        bitstream.write(tmp_path / "a.msn", wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_count": 0}, "sample_count is 0"),
        ({"sample_count": 48_000}, "take 47 codes"),
        ({"fingerprint": "12"}, "16 hexadecimal digits"),
        ({"fingerprint": "xyz3456789abcdef"}, "16 hexadecimal digits"),
        ({"samples_per_code": 1 << 16}, "samples_per_code"),
        ({"bits_per_code": 32}, "bits_per_code"),
    ],
)
def test_fields_that_do_not_fit_are_refused(change: dict[str, object], message: str):
    with pytest.raises(BitstreamError, match=message):
        bitstream.to_bytes(replace(example(), **change))


def test_missing_file_and_folder_are_refused(tmp_path: Path):
    with pytest.raises(BitstreamError, match="No such file"):
        bitstream.read(tmp_path / "missing.msn")
    with pytest.raises(BitstreamError, match="directory"):
        bitstream.read(tmp_path)
    with pytest.raises(FileError, match="Cannot write"):
        bitstream.write(tmp_path / "no" / "folder.msn", example())
