"""Scenes: a few named clips put in sequence or mixed at known times and levels, so that questions have exact answers.

Waveforms are mixed before they are encoded, since codes cannot be. A scene is either a sequence, each sound at its
own time, or a lasting sound with others on top of it. Sounds that are easily confused never share a scene. Pairs are
short sequences of two, for learning what takes many answers to learn: which of two is louder. Bursts are one short
sound some times and silence after it, for learning that nothing follows where nothing was asked for.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from makesomenoise.data.bursts import burst, decibels, stretch
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import Event
from makesomenoise.data.instructions.scene_qa import MOST_TIMES
from makesomenoise.data.jobs import BURSTS, PAIRS
from makesomenoise.data.ontology import Name, Ontology
from makesomenoise.errors import DataError

LONGEST_SECONDS = 8.0
_MOST_TRIES = 50
_MIXED_SHARE = 0.35
_BURSTS_HALF_SECONDS = (3, 8)  # how long such a scene is at least and at most
_PAIR_DB = (4.5, 18.0)  # between the two
_TARGET_DB = (-30.0, -18.0)  # of the loudest sound of a scene
_PEAK = 0.95


class SceneError(DataError):
    """Clips that no scene can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Scene:
    """A made sound and what is in it.

    Attributes:
        waveform: [S] float32 in [-1, 1].
        events: in the order of their starts; a sound that is repeated is one event each time.
        sources: numbers of the clips it was made of.
    """

    waveform: np.ndarray
    events: tuple[Event, ...]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class _Piece:
    """One sound to be placed: its samples at 0 dB, how often, and with what pauses."""

    source: int
    name: Name
    samples: np.ndarray
    times: int
    pause: float

    def seconds(self, sample_rate: int) -> float:
        return self.times * len(self.samples) / sample_rate + (self.times - 1) * self.pause


class SceneMaker:
    """Makes scenes of the clips whose label is to be trusted.

    Args:
        store: the clips; those without a trusted label are left out.
        ontology: tells what labels mean.

    Raises:
        SceneError: if fewer than three different sounds are left.
    """

    def __init__(self, store: ClipStore, ontology: Ontology):
        self._store = store
        self._by_name: dict[Name, list[int]] = defaultdict(list)
        for number, clip in enumerate(store.clips):
            name = ontology.find(clip.label, clip.trust)
            if name is not None:
                self._by_name[name].append(number)
        self._names = sorted(self._by_name, key=lambda name: name.name)
        if len({name.group for name in self._names}) < 3:  # noqa: PLR2004 - a scene has up to three sounds
            raise SceneError("Scenes need clips of at least three different sounds with labels that can be trusted.")
        # The root, so that rare sounds are heard and yet do not come from the same clip every time.
        weights = np.sqrt([len(self._by_name[name]) for name in self._names])
        exact = {
            name for name, numbers in self._by_name.items() if any(store.clips[n].trust == "exact" for n in numbers)
        }
        weights = np.where([name in exact for name in self._names], 2.0 * weights, weights)
        self._weights = weights / weights.sum()

    def of_kind(self, kind: str, rng: np.random.Generator) -> Scene:
        """A scene of a kind, as `Provenance` has it; otherwise as the method of that kind."""
        return {PAIRS: self.pair, BURSTS: self.bursts}.get(kind, self.make)(rng)

    def make(self, rng: np.random.Generator) -> Scene:
        """One scene; the same state of `rng` gives the same.

        Raises:
            SceneError: if the clips hold next to no sound.
        """
        return self._tried(lambda: self._mixed(rng) if rng.random() < _MIXED_SHARE else self._sequence(rng))

    def pair(self, rng: np.random.Generator) -> Scene:
        """Two short sounds, one after the other, one of them clearly louder; otherwise as `make`.

        Raises:
            SceneError: if the clips hold next to no sound.
        """
        return self._tried(lambda: self._pair(rng))

    def bursts(self, rng: np.random.Generator) -> Scene:
        """One short sound, once or some times, and then silence up to a half or full second; otherwise as `make`.

        Raises:
            SceneError: if none of the clips has a clear burst.
        """
        return self._tried(lambda: self._bursts(rng))

    def _tried(self, draw: Callable[[], Scene | None]) -> Scene:
        for _ in range(_MOST_TRIES):
            scene = draw()
            if scene is not None:
                return scene
        raise SceneError(
            "No scene could be made of these clips: they are silent or shorter than a quarter of a second."
        )

    def _sequence(self, rng: np.random.Generator) -> Scene | None:
        pieces = self._pieces(rng, int(rng.integers(2, 4)), counted=0.6)
        at = float(rng.uniform(0.0, 0.4) if rng.random() < 0.7 else rng.uniform(1.0, 2.5))  # noqa: PLR2004 - a wait

        def level_db(_: int) -> float:
            return float(rng.choice([0.0, -6.0, -12.0])) + float(rng.uniform(-1.5, 1.5))

        placed = self._in_turn(pieces, at, level_db, (0.15, 0.6), rng)
        return self._rendered(placed, rng) if len(placed) > 1 else None

    def _pair(self, rng: np.random.Generator) -> Scene | None:
        pieces = [
            replace(piece, times=min(piece.times, 2)) for piece in self._pieces(rng, 2, counted=0.4, seconds=(0.4, 1.1))
        ]
        softer, softer_db = int(rng.integers(2)), -float(rng.uniform(*_PAIR_DB))
        at = float(rng.uniform(0.0, 0.4))
        placed = self._in_turn(pieces, at, lambda number: softer_db if number == softer else 0.0, (0.15, 0.5), rng)
        return self._rendered(placed, rng) if len(placed) > 1 else None

    def _bursts(self, rng: np.random.Generator) -> Scene | None:
        pieces = self._pieces(rng, 1, counted=1.0)
        if not pieces:
            return None
        at, length = float(rng.uniform(0.0, 0.3)), pieces[0].seconds(self._store.sample_rate)
        first, last = max(_BURSTS_HALF_SECONDS[0], int(np.ceil(2.0 * (at + length)))), _BURSTS_HALF_SECONDS[1]
        if first > last:
            return None
        return self._rendered([(pieces[0], at, 0.0)], rng, int(rng.integers(first, last + 1)) / 2)

    def _mixed(self, rng: np.random.Generator) -> Scene | None:
        below = self._pieces(rng, 1, counted=0.0, seconds=(4.0, LONGEST_SECONDS))
        above = self._pieces(rng, int(rng.integers(1, 3)), counted=1.0, others=below)
        if not below or not above or below[0].seconds(self._store.sample_rate) < 3.0:  # noqa: PLR2004 - seconds
            return None
        room = below[0].seconds(self._store.sample_rate) - 0.4
        free = room - sum(piece.seconds(self._store.sample_rate) + 0.3 for piece in above)
        if free < 0:
            return None
        at = float(rng.uniform(0.3, 0.3 + free / 2))
        placed = [(below[0], 0.0, float(-rng.uniform(6.0, 20.0)))]
        placed += self._in_turn(above, at, lambda _: float(rng.uniform(-3.0, 0.0)), (0.3, 0.3 + free / 2), rng)
        return self._rendered(placed, rng)

    def _in_turn(
        self,
        pieces: Sequence[_Piece],
        at: float,
        level_db: Callable[[int], float],
        pause: tuple[float, float],
        rng: np.random.Generator,
    ) -> list[tuple[_Piece, float, float]]:
        """The pieces with their starts and levels, one after the other; without those that do not fit into a scene."""
        placed = []
        for number, piece in enumerate(pieces):
            if at + piece.seconds(self._store.sample_rate) <= LONGEST_SECONDS:
                placed.append((piece, at, level_db(number)))
                at += piece.seconds(self._store.sample_rate) + float(rng.uniform(*pause))
        return placed

    def _pieces(
        self,
        rng: np.random.Generator,
        count: int,
        counted: float,
        others: list[_Piece] | None = None,
        seconds: tuple[float, float] = (1.2, 2.8),
    ) -> list[_Piece]:
        """Up to `count` pieces, each of another group; `counted` is the share that must be bursts."""
        pieces: list[_Piece] = []
        for _ in range(8 * count):
            groups = {piece.name.group for piece in (*pieces, *(others or []))}
            name = self._names[int(rng.choice(len(self._names), p=self._weights))]
            if name.group not in groups and name.counted == (rng.random() < counted):
                piece = self._piece(name, rng, seconds)
                pieces += [piece] if piece else []
            if len(pieces) == count:
                break
        return pieces

    def _piece(self, name: Name, rng: np.random.Generator, seconds: tuple[float, float]) -> _Piece | None:
        source = self._by_name[name][int(rng.integers(len(self._by_name[name])))]
        waveform, rate = self._store.waveform(source), self._store.sample_rate
        times = int(rng.integers(1, MOST_TIMES + 1)) if name.counted else 1
        pause = float(rng.uniform(0.25, 0.6))
        samples = burst(waveform, rate) if name.counted else stretch(waveform, rate, float(rng.uniform(*seconds)), rng)
        level = decibels(samples) if samples is not None else -100.0
        if samples is None or level < -60.0 or len(samples) < (0.04 if name.counted else 0.25) * rate:  # noqa: PLR2004
            return None
        return _Piece(source, name, samples * np.float32(10.0 ** (-level / 20.0)), times, pause)

    def _rendered(
        self, placed: list[tuple[_Piece, float, float]], rng: np.random.Generator, seconds: float | None = None
    ) -> Scene:
        """The pieces, each with its start and level, mixed; `seconds` long, or until shortly after the last of them."""
        rate = self._store.sample_rate
        end = max(at + piece.seconds(rate) for piece, at, _ in placed)
        length = min(end + float(rng.uniform(0.1, 0.4)), LONGEST_SECONDS) if seconds is None else seconds
        waveform = np.zeros(round(length * rate), np.float32)
        events = []
        for piece, at, level in placed:
            length = len(piece.samples) / rate
            for number in range(piece.times):
                start = at + number * (length + piece.pause)
                first = round(start * rate)
                part = piece.samples[: len(waveform) - first] * np.float32(10.0 ** (level / 20.0))
                waveform[first : first + len(part)] += part
                events.append(Event(piece.name.name, start, start + len(part) / rate, level))
        gain = min(10.0 ** (rng.uniform(*_TARGET_DB) / 20.0), _PEAK / float(np.abs(waveform).max()))
        shift = 20.0 * float(np.log10(gain))
        waveform *= np.float32(gain)
        waveform += np.float32(10.0 ** (rng.uniform(-80.0, -65.0) / 20.0)) * rng.standard_normal(
            len(waveform), np.float32
        )
        known = (Event(e.label, round(e.start, 3), round(e.end, 3), round(e.level_db + shift, 1)) for e in events)
        sources = tuple(piece.source for piece, _, _ in placed)
        return Scene(waveform, tuple(sorted(known, key=lambda event: event.start)), sources)
