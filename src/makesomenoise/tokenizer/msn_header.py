"""What an `.msn` file says of itself before its codes: told without reading them at once, and without any array."""

import struct
import sys
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from makesomenoise.errors import FileError

VERSION = 1
SUFFIX = ".msn"
MAGIC = b"\x8bMSN"
LAYOUT = struct.Struct("<4sBBHI8sQ")
CHECKSUM = struct.Struct("<I")
MOST_BITS = 31
_BLOCK_BYTES = 1 << 20


class BitstreamError(FileError):
    """A bitstream that cannot be written or read; the message is one sentence for the user."""


@dataclass(frozen=True)
class Header:
    """What the codes of a file are.

    Attributes:
        sample_count: length of the waveform, samples.
        fingerprint: of the tokenizer that made the codes, 16 hexadecimal digits.
        sample_rate: of the waveform, Hz.
        samples_per_code: samples that one code stands for.
        bits_per_code: bits that one code takes.
    """

    sample_count: int
    fingerprint: str
    sample_rate: int
    samples_per_code: int
    bits_per_code: int

    @property
    def code_count(self) -> int:
        """Number of codes N."""
        return -(-self.sample_count // max(self.samples_per_code, 1))

    @property
    def payload_bytes(self) -> int:
        """Size of the packed codes."""
        return -(-self.code_count * self.bits_per_code // 8)

    @property
    def file_bytes(self) -> int:
        """Size of the whole file."""
        return LAYOUT.size + self.payload_bytes + CHECKSUM.size

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.sample_count / self.sample_rate


def parse(data: bytes, name: str) -> Header:
    """The header that bytes begin with.

    Args:
        data: of a file, its first 32 bytes at least.
        name: how errors call it.

    Raises:
        BitstreamError: if they are foreign, too few, or of another version.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise BitstreamError(f"{name} is not an .msn file; make one with `msn encode`.")
    if len(data) < LAYOUT.size + CHECKSUM.size:
        raise BitstreamError(f"{name} is truncated: an .msn file takes more than {len(data)} bytes.")
    _, version, bits, samples_per_code, sample_rate, fingerprint, samples = LAYOUT.unpack_from(data)
    if version != VERSION:
        raise BitstreamError(f"{name} is an .msn file of version {version}; this program reads version {VERSION}.")
    return Header(samples, fingerprint.hex(), sample_rate, samples_per_code, bits)


def read_header(path: str | Path) -> Header:
    """Reads the header of an `.msn` file and checks that what follows is whole, in memory of any file's size.

    Args:
        path: name of the file; `-` is standard input.

    Raises:
        BitstreamError: if it cannot be read, is foreign, of another version, truncated, damaged or contradicts itself.
    """
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else Path(path).open("rb") as file:
            data = file.read(LAYOUT.size + CHECKSUM.size)
            header = parse(data, str(path))
            numbers = header.sample_count, header.sample_rate, header.samples_per_code
            if not all(numbers) or not 1 <= header.bits_per_code <= MOST_BITS:
                raise BitstreamError(f"{path} contradicts itself: its header names no sound.")
            _check_rest(file, data, header, path)
    except OSError as error:
        raise BitstreamError(f"Cannot read {path}: {error.strerror}.") from None
    return header


def _check_rest(file: BinaryIO, start: bytes, header: Header, path: str | Path) -> None:
    left, checksum, held = header.file_bytes - len(start), 0, start
    while left > 0 and (block := file.read(min(_BLOCK_BYTES, left))):
        left -= len(block)
        held += block
        # The last four bytes, which may come in two blocks, are the checksum itself.
        checksum, held = zlib.crc32(held[: -CHECKSUM.size], checksum), held[-CHECKSUM.size :]
    if left == 0 and len(held) > CHECKSUM.size:  # a file of a single code: there was nothing more to read
        checksum, held = zlib.crc32(held[: -CHECKSUM.size], checksum), held[-CHECKSUM.size :]
    if left or file.read(1) or checksum != CHECKSUM.unpack(held)[0]:
        raise BitstreamError(f"{path} is damaged or truncated: its checksum does not match; copy or encode it again.")
