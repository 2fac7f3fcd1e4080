"""Sounds that were made, which later turns of a conversation may name by id; kept as codes, for a time, in memory."""

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from makesomenoise.language.prompts import Sound

_MOST = 1000


@dataclass(frozen=True)
class Kept:
    """A sound that can be named.

    Attributes:
        id: its name.
        expires_at: until when, seconds since 1970.
    """

    id: str
    expires_at: int


class SoundStore:
    """Made sounds by their ids.

    Args:
        seconds: how long each is kept; the oldest goes sooner where there are more than a thousand.
    """

    def __init__(self, seconds: int):
        self._seconds, self._lock = seconds, threading.Lock()
        self._kept: OrderedDict[str, tuple[int, Sound]] = OrderedDict()

    def name(self) -> Kept:
        """An id for a sound that is yet to be made."""
        return Kept(f"audio_{secrets.token_hex(12)}", int(time.time()) + self._seconds)

    def keep(self, kept: Kept, sound: Sound) -> None:
        """Remembers a sound."""
        with self._lock:
            self._kept[kept.id] = (kept.expires_at, sound)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def find(self, name: str) -> Sound | None:
        """The sound of an id; none where it is unknown or too old."""
        with self._lock:
            expires_at, sound = self._kept.get(name, (0, None))
            return sound if expires_at > time.time() else None
