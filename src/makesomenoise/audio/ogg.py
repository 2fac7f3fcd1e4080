"""Ogg pages: which belong to which link of a chain, which are damaged or cut off; decodes nothing.

    "OggS" version flags granule serial number checksum count sizes[count] | content

A link is a file of its own: its first page is marked, and so is its last. libsndfile reads the first link alone and
nothing of a page that is cut off, so each link is given to it on its own, with what is there of its last page.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from makesomenoise.audio.source import SourceBytes
from makesomenoise.audio.survey import Part, Survey

_MAGIC = b"OggS"
_FIRST, _LAST = 2, 4
_HEADER = struct.Struct("<4sBBqIIIB")
_CHECKSUM_AT = 22
_CODECS = {b"OpusHead": "Ogg Opus", b"\x01vorbis": "Ogg Vorbis"}
_HEADERS = {"Ogg Opus": 2, "Ogg Vorbis": 3}
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LONGEST_BLOCK = 8192  # samples of a Vorbis packet
_OPUS_MS = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4


@dataclass(frozen=True)
class _Page:
    at: int
    size: int
    flags: int
    granule: int
    serial: int
    number: int
    sizes: bytes

    @property
    def packets(self) -> int:
        """Number of packets that end in it."""
        return sum(size < 255 for size in self.sizes)  # noqa: PLR2004 - 255 says that the packet goes on


@dataclass
class _Link:
    codec: str
    serial: int
    pages: list[range] = field(default_factory=list)
    granule: int = 0
    number: int = 0
    packets: int = 0
    ended: bool = False
    tail: bytes = b""


def survey(data: SourceBytes, start: int = 0) -> Survey | None:
    """What there is of an Ogg file; none for any other.

    Args:
        data: the file.
        start: where it begins, behind what was put before it.
    """
    if data.at(start, 4) != _MAGIC:
        return None
    links: list[_Link] = []
    reading = _Reading(data, start)
    beginning = False
    for page in reading.pages():
        first = bool(page.flags & _FIRST)
        codec = _codec(data, page) if first else ""
        if first and not (beginning and links):
            links.append(_Link(codec, page.serial))
        elif first and codec and not links[-1].codec:
            links[-1].codec, links[-1].serial = codec, page.serial
        beginning = first
        if links and page.serial == links[-1].serial:
            _add(links[-1], page)
    if not links or not all(link.codec for link in links):
        return Survey("Ogg")  # Speex, FLAC or video alone: nothing for libsndfile
    if reading.cut is not None and reading.cut.serial == links[-1].serial:
        links[-1].tail = _cut_page(data, links[-1], reading.cut)
    return _told(data, links, reading)


class _Reading:
    """One pass over the pages, which remembers what was wrong."""

    def __init__(self, data: SourceBytes, start: int):
        self._data, self._start = data, start
        self.damaged = 0
        self.cut: _Page | None = None
        self.ends = False

    def pages(self) -> Iterator[_Page]:
        """Pages whose checksum is right."""
        at, size = self._start, self._data.size
        while at < size:
            page = self._page(at)
            whole = page is not None and page.at + page.size <= size
            if page is not None and whole and self._is_sound(page):
                yield page
                at += page.size
                continue
            again = self._data.find(_MAGIC, at + 4)
            if page is not None and not whole and again < 0:
                self.cut = page
                return
            if again < 0:
                # What is left may be the beginning of a page, or a tag that some program has put there.
                self.ends = not _MAGIC.startswith(self._data.at(at, 4)) and page is None
                self.damaged += page is not None
                return
            self.damaged += 1
            at = again

    def _page(self, at: int) -> _Page | None:
        head = self._data.at(at, _HEADER.size)
        if len(head) < _HEADER.size or head[:4] != _MAGIC:
            return None
        _, _, flags, granule, serial, number, _, count = _HEADER.unpack(head)
        sizes = self._data.at(at + _HEADER.size, count)
        size = _HEADER.size + count + sum(sizes)
        if len(sizes) < count:
            size = max(size, self._data.size - at + 1)
        return _Page(at, size, flags, granule, serial, number, sizes)

    def _is_sound(self, page: _Page) -> bool:
        content = self._data.at(page.at, page.size)
        return content[_CHECKSUM_AT : _CHECKSUM_AT + 4] == _checksum(content)


def _codec(data: SourceBytes, page: _Page) -> str:
    content = data.at(page.at + _HEADER.size + len(page.sizes), 8)
    return next((name for magic, name in _CODECS.items() if content.startswith(magic)), "")


def _add(link: _Link, page: _Page) -> None:
    if link.pages and link.pages[-1].stop == page.at:
        link.pages[-1] = range(link.pages[-1].start, page.at + page.size)
    else:
        link.pages.append(range(page.at, page.at + page.size))
    link.granule = page.granule if page.granule >= 0 else link.granule
    link.number, link.packets = page.number, link.packets + page.packets
    link.ended = link.ended or bool(page.flags & _LAST)


def _told(data: SourceBytes, links: list[_Link], reading: _Reading) -> Survey:
    faults = []
    if reading.damaged:
        faults.append(f"is damaged in {reading.damaged} places, where sound is missing")
    if reading.cut is not None:
        faults.append("is truncated: it is cut off within a page")
    elif not all(link.ended for link in links):
        faults.append("is truncated: it has no last page")
    heard = [link for link in links if link.packets >= _HEADERS[link.codec]]
    plain = len(links) == 1 and links[0].pages == [range(data.size)] and not links[0].tail
    parts = tuple(Part((*link.pages, link.tail)) for link in heard)
    return Survey(links[0].codec, (Part(),) if plain or not parts else parts, tuple(faults), checked=True)


def _cut_page(data: SourceBytes, link: _Link, page: _Page) -> bytes:
    """The packets that are whole in a page that is cut off, as a page; empty if there are none."""
    first = page.at + _HEADER.size + len(page.sizes)
    there, kept, size, total = data.size - first, 0, 0, 0
    for number, part in enumerate(page.sizes, 1):
        total += part
        if total > there:
            break
        if part < 255:  # noqa: PLR2004 - 255 says that the packet goes on
            kept, size = number, total
    if not kept:
        return b""
    content, sizes = data.at(first, size), page.sizes[:kept]
    samples = _samples(link, page, content, sizes)
    flags = page.flags & ~_FIRST | _LAST
    head = _HEADER.pack(_MAGIC, 0, flags, link.granule + samples, page.serial, page.number, 0, kept)
    whole = head + sizes + content
    link.packets += sum(part < 255 for part in sizes)  # noqa: PLR2004
    return whole[:_CHECKSUM_AT] + _checksum(whole) + whole[_CHECKSUM_AT + 4 :]


def _samples(link: _Link, page: _Page, content: bytes, sizes: bytes) -> int:
    """How many samples the packets hold; of Vorbis the most they may, since nobody takes the end from that."""
    samples, at, length = 0, 0, 0
    before = link.packets
    goes_on = bool(page.flags & 1)
    for size in sizes:
        length += size
        if size == 255:  # noqa: PLR2004
            continue
        if before >= _HEADERS[link.codec]:
            samples += _LONGEST_BLOCK if link.codec == "Ogg Vorbis" else _opus_samples(content[at : at + 2], goes_on)
        at, length, before, goes_on = at + length, 0, before + 1, False
    return samples


def _opus_samples(packet: bytes, goes_on: bool) -> int:
    """Samples at 48 kHz of a packet, by its first bytes (RFC 6716, section 3.1); 20 ms where those lie elsewhere."""
    if not packet or goes_on:
        return 960
    frames = (1, 2, 2)[packet[0] & 3] if packet[0] & 3 < 3 else (packet[1:2] or b"\0")[0] & 63  # noqa: PLR2004
    return int(48 * _OPUS_MS[packet[0] >> 3]) * frames


def _checksum(page: bytes) -> bytes:
    """The CRC-32 of a page: that of zlib with the bits in the other order, begun at 0, and not inverted."""
    mirrored = (page[:_CHECKSUM_AT] + bytes(4) + page[_CHECKSUM_AT + 4 :]).translate(_MIRRORED)
    crc = zlib.crc32(mirrored, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(_MIRRORED)
