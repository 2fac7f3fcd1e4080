"""What the bytes of a sound file say of it before anything is decoded: its kind, its parts, what is missing.

A *promise* is a length that a finished file states and that an unfinished one cannot keep; what is missing of it is
said. A *guess* is what writers leave where they could not know the length (0, or all ones): it is nobody's promise, and
all there is belongs to the sound.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A stretch of a file that is decoded on its own.

    Attributes:
        pieces: given bytes, and ranges of places in the file, that together make a whole file; none stands for the
            file as it is.
        share: of what it promises, how much is there, in (0, 1].
        promises: whether the length that a decoder states of it is one that the file states.
        lead: samples at its beginning that are no sound of the file.
    """

    pieces: tuple[bytes | range, ...] | None = None
    share: float = 1.0
    promises: bool = True
    lead: int = 0


@dataclass(frozen=True)
class Survey:
    """What is known of a file.

    Attributes:
        kind: name of the container, or empty.
        parts: in the order in which they sound; at least one.
        faults: what is wrong with the file, each of which reads on from its name ("is cut off within its last page").
        chatty: whether libsndfile may write to stderr of its own when it decodes such a file: where there may be MP3.
        checked: whether the file was found to be whole, or what it lacks is among the faults.
    """

    kind: str = ""
    parts: tuple[Part, ...] = (Part(),)
    faults: tuple[str, ...] = ()
    chatty: bool = True
    checked: bool = False


def id3_bytes(head: bytes) -> int:
    """Size of the ID3v2 tag that begins with these ten bytes, 0 if there is none."""
    if len(head) < 10 or head[:3] != b"ID3" or any(byte > 127 for byte in head[6:10]):  # noqa: PLR2004 - of the format
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)  # a footer repeats the ten bytes
