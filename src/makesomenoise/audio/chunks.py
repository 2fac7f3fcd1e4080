"""WAV, RF64, W64, AIFF, CAF and AU: where their samples lie, whatever their headers say; decodes nothing.

    id size body | id size body | ...        one of them describes the samples, one or more hold them

A file that is not as libsndfile expects it is put together anew: a header of the right sizes, and the samples.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from makesomenoise.audio.source import SourceBytes
from makesomenoise.audio.survey import Part, Survey

_UNKNOWN = 2**64 - 1
_PLACEHOLDERS = (range(2**31 - 2**16, 2**31 + 1), range(2**32 - 2**16, 2**32), range(2**63 - 2**16, 2**64))
_MOST_DESCRIPTION = 1 << 16
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")


@dataclass(frozen=True)
class _Kind:
    """How a kind of file is written.

    Attributes:
        name: of the kind.
        size: format of a chunk's size.
        id_bytes: length of a chunk's name.
        counts_header: whether its size counts its header.
        multiple: chunks begin at multiples of it, counted from the file's beginning.
        head: bytes before the first chunk.
        described: chunks that say how the samples are to be read.
        sound: the chunk that holds the samples.
        before: bytes of it before the first sample.
    """

    name: str
    size: str
    sound: bytes
    described: tuple[bytes, ...]
    id_bytes: int = 4
    counts_header: bool = False
    multiple: int = 2
    head: int = 12
    before: int = 0

    @property
    def header(self) -> int:
        """Length of a chunk's header."""
        return self.id_bytes + struct.calcsize(self.size)


_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_WAV = _Kind("WAV", "<I", b"data", (b"fmt ", b"fact"))
_RIFX = _Kind("WAV", ">I", b"data", (b"fmt ", b"fact"))
_AIFF = _Kind("AIFF", ">I", b"SSND", (b"COMM", b"FVER"), before=8)
_CAF = _Kind("CAF", ">q", b"data", (b"desc", b"kuki", b"pakt", b"chan"), multiple=1, head=8, before=4)
_W64 = _Kind("W64", "<Q", b"data" + _W64_TAIL, (b"fmt " + _W64_TAIL, b"fact" + _W64_TAIL), 16, True, 8, 40)


@dataclass(frozen=True)
class _Chunk:
    id: bytes
    body: int
    size: int
    header: bytes


def survey(data: SourceBytes, start: int = 0) -> Survey | None:
    """What there is of a file of these kinds; none for any other.

    Args:
        data: the file.
        start: where it begins, behind what was put before it.
    """
    kind = _kind(data.at(start, 40))
    if kind is not None:
        return _Walk(data, start, kind).survey()
    return _au(data, start) if data.at(start, 4) == b".snd" else None


def _kind(head: bytes) -> _Kind | None:
    if head[8:12] == b"WAVE" and head[:4] in {b"RIFF", b"RF64", b"BW64", b"RIFX"}:
        return _RIFX if head[:4] == b"RIFX" else _WAV
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return _AIFF
    if head[:4] == b"caff":
        return _CAF
    return _W64 if head[:4] == b"riff" and head[24:28] == b"wave" else None


class _Walk:
    """One walk through the chunks."""

    def __init__(self, data: SourceBytes, start: int, kind: _Kind):
        self._data, self._start, self._kind = data, start, kind
        self._head = data.at(start, kind.head)
        self._described: dict[bytes, bytes] = {}
        self._sound: list[range] = []
        self._promised, self._plain, self._ended = 0, start == 0, False
        self._faults: list[str] = []
        self._long_size = _UNKNOWN  # of the samples, where 32 bits do not hold it

    def survey(self) -> Survey:
        """What there is of the file."""
        for chunk in self._chunks():
            if chunk.id == self._kind.sound:
                self._take(chunk)
            elif chunk.id in self._kind.described:
                self._describe(chunk)
            elif chunk.id == b"ds64":
                self._long_size = struct.unpack("<8xQ", self._data.at(chunk.body, 16).ljust(16, b"\xff"))[0]
        if not self._described or not self._sound:
            return Survey(self._kind.name)
        there = sum(map(len, self._sound))
        share = there / self._promised if self._promised > there else 1.0
        plain = self._plain and len(self._sound) == 1 and share == 1.0
        if self._kind is _W64:  # of which libsndfile reads whatever follows as sound
            plain = plain and self._sound[0].stop >= self._data.size - 7
        part = Part(None if plain else (*self._rebuilt(there), *self._sound), share)
        return Survey(self._kind.name, (part,), tuple(self._faults), checked=True)

    def _chunks(self) -> Iterator[_Chunk]:
        kind, at, end = self._kind, self._start + self._kind.head, self._data.size
        while at + kind.header <= end and not self._ended:
            header = self._data.at(at, kind.header)
            if self._joined(at):
                at += kind.head
                continue
            if not _is_name(header[: kind.id_bytes]):
                self._trailing(at)
                return
            size = struct.unpack(f"{kind.size[0]}{kind.id_bytes}x{kind.size[1]}", header)[0] % 2**64
            size = max(size - kind.header, 0) if kind.counts_header else size
            chunk = _Chunk(header[: kind.id_bytes], at + kind.header, size, header)
            if chunk.id == kind.sound:
                chunk = self._measured(chunk)
            yield chunk
            at = self._after(chunk)

    def _joined(self, at: int) -> bool:
        """Whether another file of the kind begins here: files that were joined end to end."""
        return bool(self._sound) and _kind(self._data.at(at, 40)) is self._kind

    def _measured(self, chunk: _Chunk) -> _Chunk:
        """The chunk with its true size: where its size is a guess it goes on to the end of the file."""
        left = self._data.size - chunk.body
        size = self._long_size if chunk.size == 2**32 - 1 and self._kind is _WAV else chunk.size
        unknown = size > left and any(size in one for one in _PLACEHOLDERS)
        if size == 0 and left:
            unknown = not self._is_chain(chunk.body)
        if unknown:
            self._plain = False
            return _Chunk(chunk.id, chunk.body, self._end(chunk.body) - chunk.body, chunk.header)
        return _Chunk(chunk.id, chunk.body, size, chunk.header)

    def _end(self, at: int) -> int:
        """Where sound of unknown length ends: with the file, before another that was joined to it, or before a tag."""
        magic = self._head[:4]
        while (joined := self._data.find(magic, at)) >= 0:
            if _kind(self._data.at(joined, 40)) is self._kind:
                return joined
            at = joined + 4
        end = self._data.size
        return end - 128 if self._data.at(max(end - 128, 0), 3) == b"TAG" else end

    def _is_chain(self, at: int) -> bool:
        """Whether chunks that fit follow from here to the end of the file: then the one before is truly empty."""
        kind, end = self._kind, self._data.size
        while at + kind.header <= end:
            header = self._data.at(at, kind.header)
            if not _is_name(header[: kind.id_bytes]):
                return False
            size = struct.unpack(f"{kind.size[0]}{kind.id_bytes}x{kind.size[1]}", header)[0] % 2**64
            at += max(size, kind.header) if kind.counts_header else kind.header + size
            at += -(at - self._start) % kind.multiple
        return at in {end, end + 1}

    def _after(self, chunk: _Chunk) -> int:
        at = chunk.body + chunk.size
        padded = at + -(at - self._start) % self._kind.multiple
        # Some writers leave out the byte that makes the next chunk begin at an even place.
        if padded != at and not _is_name(self._data.at(padded, 4)) and _is_name(self._data.at(at, 4)):
            self._plain = False  # libsndfile expects it
            return at
        return padded

    def _take(self, chunk: _Chunk) -> None:
        first = chunk.body + self._kind.before
        stop = min(chunk.body + chunk.size, self._data.size)
        self._promised += max(chunk.size - self._kind.before, 0)
        if stop > first:
            self._sound.append(range(first, stop))

    def _describe(self, chunk: _Chunk) -> None:
        body = self._data.at(chunk.body, min(chunk.size, _MOST_DESCRIPTION))
        known = self._described.setdefault(chunk.id, body)
        if chunk.id == self._kind.described[0] and _format(known, self._kind) != _format(body, self._kind):
            self._faults.append("goes on with sound of another format, which is left out")
            self._plain, self._ended = False, True

    def _trailing(self, at: int) -> None:
        rest = self._data.at(at, 16)
        if self._sound and rest.strip(b"\0") and not rest.startswith(_TAGS):
            self._faults.append(
                f"has {self._data.size - at} bytes behind its end that are no sound, which are left out"
            )

    def _rebuilt(self, there: int) -> Iterator[bytes]:
        kind = self._kind
        described = b"".join(self._chunk(name, body, len(body)) for name, body in self._described.items())
        sound = self._chunk(kind.sound, bytes(kind.before), kind.before + there)
        whole = kind.head + len(described) + len(sound) + there
        if kind is _CAF:
            yield self._head
        elif kind is _W64:
            yield self._head[:16] + struct.pack("<Q", whole) + self._head[24:]
        else:
            name = {b"RF64": b"RIFF", b"BW64": b"RIFF"}.get(self._head[:4], self._head[:4])
            yield name + struct.pack(kind.size, min(whole - 8, 2**32 - 1)) + self._head[8:]
        yield described + sound

    def _chunk(self, name: bytes, body: bytes, size: int) -> bytes:
        kind = self._kind
        size = size + kind.header if kind.counts_header else size
        most = 2**32 - 1 if struct.calcsize(kind.size) == 4 else size  # noqa: PLR2004 - a size of 32 bits
        padding = bytes(-len(body) % kind.multiple) if size == len(body) else b""
        return name + struct.pack(kind.size, min(size, most)) + body + padding


def _is_name(name: bytes) -> bool:
    return len(name) >= 4 and all(32 <= byte < 127 for byte in name[:4]) and name[:4].strip() != b""  # noqa: PLR2004


def _format(body: bytes, kind: _Kind) -> bytes:
    """What two descriptions must have in common: of AIFF all but the number of samples."""
    return body[:2] + body[6:] if kind.name == "AIFF" else body


def _au(data: SourceBytes, start: int) -> Survey:
    """The same for AU, which has one header and no chunks; several may be joined."""
    parts: list[Part] = []
    at, plain = start, start == 0
    while len(head := data.at(at, 24)) == 24 and head[:4] == b".snd":  # noqa: PLR2004 - of the format
        first, size = struct.unpack(">4xII", head[:12])
        there = max(data.size - at - first, 0)
        guess = size == 0 or (size > there and any(size in one for one in _PLACEHOLDERS))
        used = there if guess else min(size, there)
        share = 1.0 if guess or size <= there else max(there, 1) / size
        header = head[:4] + struct.pack(">II", 24, min(used, 2**32 - 1)) + head[12:]
        parts.append(Part((header, range(at + first, at + first + used)), share))
        plain = plain and not guess and share == 1.0
        at += first + used
    alone = plain and len(parts) == 1
    return Survey("AU", (Part(),) if alone or not parts else tuple(parts), checked=True)
