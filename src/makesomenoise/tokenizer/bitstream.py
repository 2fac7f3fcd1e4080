"""The `.msn` file: packed codes under a 28-byte header and a checksum; knows no network and no waveform.

Layout, little-endian: magic (4 bytes), version (1), bits per code (1), samples per code (2), sample rate in Hz (4),
fingerprint of the tokenizer (8), number of samples (8), the codes packed most significant bit first, CRC-32 of all
bytes before it (4). That is 32 bytes beyond the codes: 326 bytes for ten seconds at 234.375 bit/s.
"""

import contextlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from makesomenoise.files import write_bytes
from makesomenoise.tokenizer.msn_header import (
    CHECKSUM,
    LAYOUT,
    MAGIC,
    MOST_BITS,
    SUFFIX,
    VERSION,
    BitstreamError,
    parse,
)

_FINGERPRINT_DIGITS = 16


@dataclass(frozen=True, eq=False)
class Bitstream:
    """What an `.msn` file holds.

    Attributes:
        codes: [N], integers in [0, 2 ** bits_per_code); N is sample_count / samples_per_code, rounded up.
        sample_count: length of the waveform, samples.
        fingerprint: of the tokenizer that made the codes, 16 hexadecimal digits.
        sample_rate: of the waveform, Hz.
        samples_per_code: samples that one code stands for.
        bits_per_code: bits that one code takes.
    """

    codes: np.ndarray
    sample_count: int
    fingerprint: str
    sample_rate: int = 24_000
    samples_per_code: int = 1024
    bits_per_code: int = 10

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.sample_count / self.sample_rate

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return LAYOUT.size + -(-len(self.codes) * self.bits_per_code // 8) + CHECKSUM.size


def pack(codes: np.ndarray, bits: int) -> bytes:
    """Packs codes [N], each in [0, 2 ** bits), into ceil(N * bits / 8) bytes, most significant bit first.

    Raises:
        BitstreamError: if a code lies outside that range.
    """
    values = np.asarray(codes, np.int64)
    outside = (values < 0) | (values >= 1 << bits)
    if outside.any():
        raise BitstreamError(f"Code {values[outside][0]} lies outside [0, {1 << bits}), all that {bits} bits can hold.")
    places = np.arange(bits - 1, -1, -1)
    return np.packbits((values[:, None] >> places & 1).astype(np.uint8)).tobytes()


def unpack(data: bytes, count: int, bits: int) -> np.ndarray:
    """The first `count` codes [N], int64, of bytes that `pack` made."""
    flat = np.unpackbits(np.frombuffer(data, np.uint8), count=count * bits)
    return flat.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits - 1, -1, -1))


def to_bytes(bitstream: Bitstream) -> bytes:
    """The bytes of an `.msn` file.

    Raises:
        BitstreamError: if a field does not fit the format or the codes do not fit the number of samples.
    """
    _check(bitstream)
    header = LAYOUT.pack(
        MAGIC,
        VERSION,
        bitstream.bits_per_code,
        bitstream.samples_per_code,
        bitstream.sample_rate,
        bytes.fromhex(bitstream.fingerprint),
        bitstream.sample_count,
    )
    body = header + pack(bitstream.codes, bitstream.bits_per_code)
    return body + CHECKSUM.pack(zlib.crc32(body))


def from_bytes(data: bytes, name: str = "the given bytes") -> Bitstream:
    """Reads the bytes of an `.msn` file.

    Args:
        data: the whole file.
        name: how errors call it.

    Raises:
        BitstreamError: if it is foreign, of another version, truncated or damaged.
    """
    header = parse(data, name)
    if zlib.crc32(data[: -CHECKSUM.size]) != CHECKSUM.unpack(data[-CHECKSUM.size :])[0]:
        raise BitstreamError(f"{name} is damaged or truncated: its checksum does not match; copy or encode it again.")
    payload, count, bits = data[LAYOUT.size : -CHECKSUM.size], header.code_count, header.bits_per_code
    if not 1 <= bits <= MOST_BITS or len(payload) != header.payload_bytes:
        raise BitstreamError(f"{name} contradicts itself: {count} codes of {bits} bits in {len(payload)} bytes.")
    codes = unpack(payload, count, bits)
    bitstream = Bitstream(
        codes, header.sample_count, header.fingerprint, header.sample_rate, header.samples_per_code, bits
    )
    _check(bitstream)
    return bitstream


def write(path: str | Path, bitstream: Bitstream) -> None:
    """Writes an `.msn` file; it appears under its name whole or not at all.

    Raises:
        BitstreamError: as `to_bytes`.
        FileError: if the file cannot be written.
    """
    write_bytes(path, to_bytes(bitstream))


def read(path: str | Path) -> Bitstream:
    """Reads an `.msn` file; `-` is standard input.

    Raises:
        BitstreamError: as `from_bytes`, or if the file cannot be read.
    """
    try:
        data = Path("/dev/stdin" if str(path) == "-" else path).read_bytes()
    except OSError as error:
        raise BitstreamError(f"Cannot read {path}: {error.strerror}.") from None
    return from_bytes(data, str(path))


def is_bitstream(path: str | Path) -> bool:
    """Whether a file is to be read as an `.msn` file: by its name, or by how it begins where it can be read twice."""
    path = Path(path)
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        with path.open("rb") if path.is_file() else contextlib.nullcontext() as file:
            return file is not None and file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _check(bitstream: Bitstream) -> None:
    digits = bitstream.fingerprint
    if len(digits) != _FINGERPRINT_DIGITS or not set(digits.lower()) <= set("0123456789abcdef"):
        raise BitstreamError(f"The fingerprint '{digits}' is not {_FINGERPRINT_DIGITS} hexadecimal digits.")
    ranges = {
        "bits_per_code": MOST_BITS,
        "samples_per_code": 2**16 - 1,
        "sample_rate": 2**32 - 1,
        "sample_count": 2**63 - 1,
    }
    for field, most in ranges.items():
        if not 1 <= getattr(bitstream, field) <= most:
            raise BitstreamError(f"{field} is {getattr(bitstream, field)}, expected 1 to {most}.")
    expected = -(-bitstream.sample_count // bitstream.samples_per_code)
    if list(bitstream.codes.shape) != [expected]:
        shape = list(bitstream.codes.shape)
        raise BitstreamError(f"{bitstream.sample_count} samples take {expected} codes, got the shape {shape}.")
