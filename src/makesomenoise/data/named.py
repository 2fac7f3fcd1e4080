"""Encoded clips by the name of their sound, rare names drawn more often than their clips are frequent."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.sounds import EXACT, Name, find


class NamedClips:
    """The clips that have a name, drawn so that rare sounds are heard too.

    Args:
        clips: any.
        exact_share: share of the draws that go to collections labelled by hand.
    """

    def __init__(self, clips: Sequence[CodeClip], exact_share: float):
        self._groups: dict[tuple[bool, str], list[tuple[CodeClip, Name]]] = defaultdict(list)
        self._labels: dict[str, set[str]] = defaultdict(set)
        for clip in clips:
            name = find(clip.label, clip.dataset)
            if name is not None:
                self._groups[clip.dataset in EXACT, name.name].append((clip, name))
                self._labels[clip.dataset].add(label_of(clip, name))
        self._keys = sorted(self._groups)
        weights = np.sqrt([len(self._groups[key]) for key in self._keys])
        exact = np.array([key[0] for key in self._keys], dtype=bool)
        if exact.any() and not exact.all():
            weights = (
                np.where(exact, exact_share / weights[exact].sum(), (1 - exact_share) / weights[~exact].sum()) * weights
            )
        self._weights = weights / weights.sum() if len(weights) else weights

    def __bool__(self) -> bool:
        return bool(self._keys)

    def draw(self, rng: np.random.Generator) -> tuple[CodeClip, Name]:
        """A clip and its name."""
        group = self._groups[self._keys[int(rng.choice(len(self._keys), p=self._weights))]]
        return group[int(rng.integers(len(group)))]

    def labels(self, dataset: str) -> set[str]:
        """The labels of a collection that was labelled by hand, which are told apart; of others none."""
        return self._labels[dataset] if dataset in EXACT else set()


def label_of(clip: CodeClip, name: Name) -> str:
    """What a clip is called where its name is asked for: by its collection, or by us where labels are rough."""
    return clip.label if clip.dataset in EXACT else name.name
