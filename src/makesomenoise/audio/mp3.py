"""MP3 frames: where a stream begins and ends, and how many frames it truly has; decodes nothing.

A file may be several streams end to end, with tags between them. The first frame of a stream may hold no sound but a
note of the number of frames (Xing, Info or VBRI); without it libsndfile guesses the length from the first frame's
bitrate and reads no further. Such a stream gets a note. Of layers I and II it knows no notes: these get an empty frame
of the lowest bitrate, so that it guesses too much.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from makesomenoise.audio.source import SourceBytes
from makesomenoise.audio.survey import Part, Survey, id3_bytes

_KBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SEARCHED = 1 << 16
_ENOUGH = 3  # frames that follow each other, where nothing but them says that it is MP3
_SYNC_MASK = 0xFFE00000
_ID3V1_BYTES, _APE_BYTES = 128, 32


@dataclass(frozen=True)
class _Frame:
    word: int
    size: int
    rate: int
    samples: int
    mono: bool

    @property
    def layer(self) -> int:
        """1 to 3."""
        return 4 - (self.word >> 17 & 3)

    @property
    def side_bytes(self) -> int:
        """Bytes before what a first frame may note."""
        mpeg1 = self.word >> 19 & 3 == 3  # noqa: PLR2004 - of the format
        return 4 + ((17 if self.mono else 32) if mpeg1 else (9 if self.mono else 17))

    def fits(self, other: "_Frame") -> bool:
        """Whether both may be frames of one stream."""
        return (self.rate, self.samples, self.mono) == (other.rate, other.samples, other.mono)


@dataclass
class _Stream:
    first: _Frame
    start: int
    stop: int
    noted: int | None = None
    frames: int = 0


@dataclass
class _Found:
    streams: list[_Stream] = field(default_factory=list)
    pieces: dict[int, list[range]] = field(default_factory=dict)
    damaged: int = 0
    cut: bool = False


def survey(data: SourceBytes, start: int = 0) -> Survey | None:
    """What there is of an MP3 file; none for any other.

    Args:
        data: the file.
        start: where it begins, behind what was put before it.
    """
    first = _first(data, start)
    if first is None:
        return None
    found = _walked(data, first)
    plain = len(found.streams) == 1 and bool(found.streams[0].noted) and found.streams[0].start == start
    parts = [_part(stream, found.pieces[number], plain) for number, stream in enumerate(found.streams)]
    short = [stream for stream in found.streams if stream.frames < (stream.noted or 0)]
    faults = []
    if found.damaged:
        faults.append(f"is damaged in {found.damaged} places, where sound is missing")
    if found.cut and not short:
        faults.append("is truncated: its last frame is cut off")
    return Survey("MP3", tuple(parts) or (Part(),), tuple(faults), checked=True)


def _first(data: SourceBytes, start: int) -> int | None:
    """Place of the first frame: at the start, or after what is not sound if several frames then follow each other."""
    frame = _frame(data, start)
    if frame is not None:
        behind = _frame(data, start + frame.size)
        if (behind is not None and behind.fits(frame)) or start + frame.size >= data.size or _noted(data, start, frame):
            return start
    at = start
    while (at := data.find(b"\xff", at + 1, start + _SEARCHED)) >= 0:
        if _in_a_row(data, at) >= _ENOUGH:
            return at
    return None


def _in_a_row(data: SourceBytes, at: int) -> int:
    count, first = 0, None
    while count < _ENOUGH and (frame := _frame(data, at)) is not None and (first is None or frame.fits(first)):
        count, first, at = count + 1, first or frame, at + frame.size
    return count


def _walked(data: SourceBytes, first: int) -> _Found:
    found = _Found()
    stream: _Stream | None = None
    for at, frame in _frames(data, first, found):
        noted = _noted(data, at, frame)
        full = stream is not None and bool(stream.noted) and stream.frames >= (stream.noted or 0)
        if stream is None or full or noted is not None or not frame.fits(stream.first):
            stream = _Stream(frame, at, at, noted)
            found.pieces[len(found.streams)] = []
            found.streams.append(stream)
        pieces = found.pieces[len(found.streams) - 1]
        if pieces and pieces[-1].stop == at:
            pieces[-1] = range(pieces[-1].start, at + frame.size)
        else:
            pieces.append(range(at, at + frame.size))
        stream.frames += noted is None
        stream.stop = at + frame.size
    return found


def _frames(data: SourceBytes, at: int, found: _Found) -> Iterator[tuple[int, _Frame]]:
    """Frames that are whole, with their places."""
    size = data.size
    while at < size:
        frame = _frame(data, at)
        if frame is not None and at + frame.size <= size:
            yield at, frame
            at += frame.size
            continue
        tag = _tag_bytes(data, at)
        if tag:
            at += tag
            continue
        again = _again(data, at + 1)
        if again is None:
            found.cut = frame is not None
            return
        found.damaged += bool(data.at(at, min(again - at, _SEARCHED)).strip(b"\0"))
        at = again


def _again(data: SourceBytes, at: int) -> int | None:
    """Place of the next frame that another follows, or a tag."""
    at -= 1
    while (at := data.find(b"\xff", at + 1)) >= 0:
        if _in_a_row(data, at) > 1:
            return at
    return None


def _frame(data: SourceBytes, at: int) -> _Frame | None:
    head = data.at(at, 4)
    if len(head) < 4:  # noqa: PLR2004 - of the format
        return None
    return _parsed(int.from_bytes(head, "big"))


def _parsed(word: int) -> _Frame | None:
    version, layer, kbits, rate = word >> 19 & 3, 4 - (word >> 17 & 3), word >> 12 & 15, word >> 10 & 3
    if word & _SYNC_MASK != _SYNC_MASK or version == 1 or layer == 4 or kbits in {0, 15} or rate == 3:  # noqa: PLR2004
        return None
    mpeg = 1 if version == 3 else 2  # noqa: PLR2004 - of the format
    hertz, bits = _RATES[version][rate], _KBITS[mpeg, layer][kbits] * 1000
    padding = word >> 9 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and mpeg == 2 else 1152  # noqa: PLR2004
    size = (12 * bits // hertz + padding) * 4 if layer == 1 else samples // 8 * bits // hertz + padding
    return _Frame(word, size, hertz, samples, mono=word >> 6 & 3 == 3)  # noqa: PLR2004


def _noted(data: SourceBytes, at: int, frame: _Frame) -> int | None:
    """Number of frames that follow by what this one notes; none where it is a frame of sound."""
    note = data.at(at + frame.side_bytes, 12)
    if note[:4] in {b"Xing", b"Info"} and len(note) == 12:  # noqa: PLR2004 - of the format
        flags, frames = struct.unpack(">II", note[4:])
        return frames if flags & 1 else None
    if data.at(at + 36, 4) == b"VBRI":
        return int.from_bytes(data.at(at + 50, 4), "big")
    return None


def _tag_bytes(data: SourceBytes, at: int) -> int:
    head = data.at(at, 16)
    if head[:3] == b"TAG":
        return _ID3V1_BYTES
    if head[:8] == b"APETAGEX":
        return _APE_BYTES + int.from_bytes(head[12:16], "little")
    if head[:11] == b"LYRICSBEGIN":
        end = data.find(b"LYRICS200", at, at + _SEARCHED)
        return end + 9 - at if end >= 0 else 0
    return id3_bytes(head[:10])


def _part(stream: _Stream, pieces: list[range], plain: bool) -> Part:
    if stream.first.layer != 3:  # noqa: PLR2004 - MP3
        return Part((_note(stream, 0), *pieces), promises=False, lead=stream.first.samples)
    share = min(max(stream.frames, 1) / stream.noted, 1.0) if stream.noted else 1.0
    if plain and len(pieces) == 1:
        return Part(None, share)
    if stream.noted:
        return Part(tuple(pieces), share)
    if stream.noted == 0:  # left by an encoder that was stopped before it knew
        pieces = [range(pieces[0].start + stream.first.size, pieces[0].stop), *pieces[1:]]
    return Part((_note(stream, sum(map(len, pieces))), *pieces))


def _note(stream: _Stream, size: int) -> bytes:
    """A frame without sound that notes the number of frames of a stream, where decoders look for it."""
    word, frame = stream.first.word | 1 << 16, stream.first  # bit 16: no checksum follows
    for kbits in range(1, 15):
        larger = _parsed(word & ~(0xF000 | 0x200) | kbits << 12)
        if larger is not None and larger.size >= larger.side_bytes + 16:
            word, frame = larger.word, larger
            break
    if frame.layer != 3:  # noqa: PLR2004 - MP3
        return word.to_bytes(4, "big").ljust(frame.size, b"\0")
    note = struct.pack(">4sIII", b"Xing", 3, stream.frames, frame.size + size)
    return (word.to_bytes(4, "big") + bytes(frame.side_bytes - 4) + note).ljust(frame.size, b"\0")
