"""The encoded clips that a language model is asked about: which of them, and how much of each."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from makesomenoise.data.codes import CodeClip

LONGEST_SECONDS = 10.0


def chosen(clips: Sequence[CodeClip], limit: int | None, code_rate: float) -> list[CodeClip]:
    """At most `limit` clips of each dataset, always the same ones, in their order and not longer than 10 s.

    Args:
        clips: to choose from.
        limit: None takes all.
        code_rate: codes a second.
    """
    taken, kept = Counter(), set()
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.key.encode()).digest()):
        taken[clip.dataset] += 1
        if limit is None or taken[clip.dataset] <= limit:
            kept.add(clip.key)
    most = round(LONGEST_SECONDS * code_rate)
    return [replace(clip, codes=clip.codes[:most]) for clip in clips if clip.key in kept]


def digest(clips: Sequence[CodeClip]) -> str:
    """16 hexadecimal digits that change with any code and with the clips and their order."""
    return hashlib.sha256(repr([(clip.key, clip.codes) for clip in clips]).encode()).hexdigest()[:16]


def plain(text: str) -> str:
    """A text in lower case without punctuation, one space between words."""
    return " ".join("".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split())
