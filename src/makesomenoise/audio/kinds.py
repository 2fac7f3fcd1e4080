"""Which kind of sound file some bytes are, and what is known of it before it is decoded."""

import struct

from makesomenoise.audio import chunks, mp3, ogg
from makesomenoise.audio.source import SourceBytes
from makesomenoise.audio.survey import Part, Survey, id3_bytes

# Names of files that are looked into where a whole folder or shard is read; a file that is named is read whatever it is
# called.
SUFFIXES = frozenset(
    f".{name}"
    for names in (
        ("wav", "wave", "rf64", "w64", "aif", "aiff", "aifc", "caf", "au", "snd", "voc", "flac"),
        ("ogg", "oga", "opus", "spx", "mp3", "mp2", "m4a", "m4b", "aac", "ac3", "wma", "amr", "wv", "ape", "ra", "tta"),
        ("mka", "weba", "webm", "mkv", "mp4", "m4v", "mov", "3gp", "ogv", "avi", "flv", "mpeg", "mpg", "wmv"),
    )
    for name in names
)
_FLAC = b"fLaC"
_FLAC_STARTS = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
_FOREIGN = {
    b"\x1aE\xdf\xa3": "Matroska or WebM",
    b"0&\xb2u\x8ef\xcf\x11": "Windows Media",
    b"#!AMR": "AMR",
    b"MAC ": "Monkey's Audio",
    b"wvpk": "WavPack",
    b"FLV": "Flash Video",
    b"\x0bw": "AC-3",
}
_CLUSTER = 0x1F43B675
_SEGMENT = 0x18538067


def surveyed(data: SourceBytes) -> Survey:
    """What is known of a file without decoding it."""
    start = 0
    while size := id3_bytes(data.at(start, 10)):
        start += size
    for survey in (chunks.survey, ogg.survey, _flac, _mp4, _foreign, mp3.survey):
        found = survey(data, start)
        if found is not None:
            return found
    return Survey()


def _flac(data: SourceBytes, start: int) -> Survey | None:
    """FLAC streams end to end, with tags around them, which libsndfile takes for damage."""
    if data.at(start, 4) != _FLAC:
        return None
    starts, stop = [start], _without_tag(data)
    for magic in _FLAC_STARTS:
        at = start
        while (at := data.find(magic, at + 1, stop)) >= 0:
            starts.append(at)
    starts.sort()
    ranges = [range(first, last) for first, last in zip(starts, [*starts[1:], stop], strict=True)]
    plain = ranges == [range(data.size)]
    return Survey("FLAC", (Part(),) if plain else tuple(Part((one,)) for one in ranges), chatty=False)


def _without_tag(data: SourceBytes) -> int:
    end = data.size
    if data.at(max(end - 128, 0), 3) == b"TAG":
        end -= 128
    tail = data.at(max(end - 32, 0), 32)
    if tail[:8] == b"APETAGEX":
        end -= int.from_bytes(tail[12:16], "little") + 32
    return max(end, 4)


def _mp4(data: SourceBytes, start: int) -> Survey | None:
    """MP4, M4A and QuickTime: boxes that must end where the file ends or before."""
    if data.at(start + 4, 4) not in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        return None
    at, files = start, 0
    while at + 8 <= data.size:
        size, name = struct.unpack(">I4s", data.at(at, 8))
        if size == 1:
            size = int.from_bytes(data.at(at + 8, 8), "big")
        files += name == b"ftyp"
        if files > 1:
            return Survey("MP4", faults=("goes on with another file, which is left out",), checked=True)
        if size == 0 or not name.isascii() or not name.strip(b"\0"):  # to the end of the file, or padding
            return Survey("MP4", checked=True)
        if size < 8:  # noqa: PLR2004 - smaller than its own header
            break
        at += size
    return Survey("MP4", faults=_cut(at, data.size), checked=True)


def _foreign(data: SourceBytes, start: int) -> Survey | None:
    """Kinds that are ffmpeg's business."""
    head = data.at(start, 16)
    name = next((name for magic, name in _FOREIGN.items() if head.startswith(magic)), None)
    if name is None and len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # noqa: PLR2004 - its sync word
        name = "AAC"
    if name is None and head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Survey("AVI", faults=_cut(start + 8 + int.from_bytes(head[4:8], "little"), data.size))
    if name == "WavPack":
        return _wavpack(data, start)
    if name is None:
        return None
    return _matroska(data, start) if name == "Matroska or WebM" else Survey(name)


def _wavpack(data: SourceBytes, start: int) -> Survey:
    """Blocks that must end where the file ends or before; tags may follow."""
    at = start
    while data.at(at, 4) == b"wvpk" and len(head := data.at(at, 8)) == 8:  # noqa: PLR2004 - name and size
        at += 8 + int.from_bytes(head[4:], "little")
    return Survey("WavPack", faults=_cut(at, data.size))


def _matroska(data: SourceBytes, start: int) -> Survey:
    """Elements that must end where the file ends or before; of those of unknown size, their content."""
    at = start
    while at < data.size:
        head = data.at(at, 12)
        name, name_bytes = _number(head, marked=True)
        size, size_bytes = _number(head[name_bytes:], marked=False)
        if not name_bytes or not size_bytes:
            cut = len(head) < 12 and bool(head.strip(b"\0"))  # noqa: PLR2004 - longest header
            return Survey("Matroska or WebM", faults=_cut(data.size + 1, data.size) if cut else (), checked=True)
        if head.startswith(b"TAG"):
            at = data.size
            break
        at += name_bytes + size_bytes
        unknown = size == (1 << 7 * size_bytes) - 1
        if unknown and name not in {_SEGMENT, _CLUSTER}:
            return Survey("Matroska or WebM")
        at += 0 if unknown else size
    return Survey("Matroska or WebM", faults=_cut(at, data.size), checked=True)


def _number(head: bytes, marked: bool) -> tuple[int, int]:
    """A number of EBML and its length in bytes; the length is 0 where there is none.

    Args:
        head: begins with it.
        marked: keep the bit that marks its length, as the names of elements do.
    """
    length = 9 - head[0].bit_length() if head and head[0] else 0
    if not length or len(head) < length:
        return 0, 0
    value = int.from_bytes(head[:length], "big")
    return (value if marked else value & ~(1 << 7 * length)), length


def _cut(end: int, size: int) -> tuple[str, ...]:
    return (f"is truncated: {size} bytes of at least {end} are there",) if end > size else ()
