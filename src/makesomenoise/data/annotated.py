"""Encoded clips with what is known of every code: what sounds there, how often it has begun, and how loud it is.

Scenes were made, so all of that is exact; of a clip with a name, it is known where it sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.named import NamedClips
from makesomenoise.data.sounds import find

_EXACT_SHARE = 0.8
_WHOLE_SHARE = 0.4
_SHORTEST_SECONDS = 1.0
_RINGING_SECONDS = 0.05  # codes that begin shortly after a sound has ended still hold its end


@dataclass(frozen=True)
class Annotated:
    """Codes, and what is known of each.

    Attributes:
        codes: [N].
        active: [N, names] boolean, which sounds are heard.
        begun: [N] how often the sound that began last has begun so far; 0 where that is not known.
        level_db: [N] of the sound that began last, while it lasts, dB of full scale; nan where that is not known.
    """

    codes: tuple[int, ...]
    active: np.ndarray
    begun: np.ndarray
    level_db: np.ndarray


class AnnotatedClips:
    """Endless annotated sounds; number `n` depends on the seed and on `n` alone. False if nothing is known of any clip.

    Args:
        clips: encoded clips and scenes; those without a name or events are left out.
        code_rate: codes a second.
        scenes_share: share of the draws that are scenes.
        longest_seconds: other clips are cropped to this.
        seed: of the draws.
        names: sounds that are told apart, clips with others being left out; none means all that there are.

    Attributes:
        names: how the sounds are called, in the order of `Annotated.active`.
    """

    def __init__(
        self,
        clips: Sequence[CodeClip],
        code_rate: float,
        scenes_share: float = 0.6,
        longest_seconds: float = 4.0,
        seed: int = 0,
        names: Sequence[str] = (),
    ):
        found = [(clip, _names(clip)) for clip in clips if clip.codes]
        self.names = tuple(names) or tuple(sorted({name for _, heard in found for name in heard}))
        known = [clip for clip, heard in found if heard and set(heard) <= set(self.names)]
        self._scenes = [clip for clip in known if clip.events]
        self._named = NamedClips([clip for clip in known if not clip.events], _EXACT_SHARE)
        self._place = {name: place for place, name in enumerate(self.names)}
        self._share = scenes_share if self._named else 1.0
        self._rate, self._longest, self._seed = code_rate, longest_seconds, seed

    def __bool__(self) -> bool:
        return bool(self._scenes or self._named)

    def __getitem__(self, number: int) -> Annotated:
        """Sound `number`."""
        rng = np.random.default_rng([self._seed, number, 2])
        if self._scenes and rng.random() < self._share:
            return self._scene(self._scenes[int(rng.integers(len(self._scenes)))])
        return self._clip(rng)

    def _scene(self, clip: CodeClip) -> Annotated:
        times = (np.arange(len(clip.codes)) + 0.5) / self._rate
        active = np.zeros((len(times), len(self.names)), bool)
        begun, level_db = np.zeros(len(times), np.int64), np.full(len(times), np.nan, np.float32)
        count: dict[str, int] = {}
        for event in sorted(clip.events, key=lambda event: event.start):  # later ones replace what earlier ones set
            count[event.label] = count.get(event.label, 0) + 1
            heard = (times >= event.start) & (times < event.end + _RINGING_SECONDS)
            name = find(event.label)
            if name is not None:
                active[heard, self._place[name.heard]] = True
            begun[times >= event.start] = count[event.label]
            level_db[times >= event.start] = np.nan
            level_db[heard] = event.level_db
        return Annotated(clip.codes, active, begun, level_db)

    def _clip(self, rng: np.random.Generator) -> Annotated:
        clip, name = self._named.draw(rng)
        first, last = (round(seconds * self._rate) for seconds in clip.sounding)
        if rng.random() < _WHOLE_SHARE or last <= first:
            first, last = 0, len(clip.codes)
        size = max(round(float(rng.uniform(_SHORTEST_SECONDS, self._longest)) * self._rate), 1)
        first += int(rng.integers(0, max(last - first - size, 0) + 1))
        codes = clip.codes[first : first + size]
        times = (first + np.arange(len(codes)) + 0.5) / self._rate
        active = np.zeros((len(codes), len(self.names)), bool)
        active[:, self._place[name.heard]] = (times >= clip.sounding[0]) & (times <= clip.sounding[1])
        return Annotated(codes, active, np.zeros(len(codes), np.int64), np.full(len(codes), np.nan, np.float32))


def _names(clip: CodeClip) -> list[str]:
    """What is heard in a clip, as far as it has names."""
    found = [find(event.label) for event in clip.events] if clip.events else [find(clip.label, clip.dataset)]
    return [name.heard for name in found if name is not None]
