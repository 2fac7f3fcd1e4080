"""The clips an evaluation looks at: training clips for the judges to learn from, validation clips to be judged.

Clips as sound files and clips as codes are drawn in the same way.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from makesomenoise.data.manifest import Clip, ManifestError, read_clips

if TYPE_CHECKING:
    from makesomenoise.data.codes import CodeClip  # needs the extra `data`

MAX_SECONDS = 10.0
AnyClip = TypeVar("AnyClip", Clip, "CodeClip")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips in two splits.

    Attributes:
        train: the classifier and the probe learn from these.
        valid: these are coded and judged.
        cache: folder that keeps decoded clips, or None.
    """

    train: list[Clip]
    valid: list[Clip]
    cache: Path | None = None

    @classmethod
    def read(cls, folder: str | Path, cache: str | Path | None = None) -> "Corpus":
        """Reads a folder with `train-*.tar` and `valid-*.tar`, or with sub-folders `train` and `valid`.

        Args:
            folder: the corpus.
            cache: folder that keeps decoded clips for later runs.

        Raises:
            ManifestError: if a split is missing.
        """
        splits = [_paths(Path(folder), split) for split in ("train", "valid")]
        train, valid = (read_clips(paths) for paths in splits)
        return cls(train, valid, Path(cache) if cache is not None else None)


def subset(clips: Sequence[AnyClip], limit: int | None) -> list[AnyClip]:
    """At most `limit` clips of each dataset, none for all: always the same ones, in their order."""
    if limit is None:
        return list(clips)
    taken: dict[str, int] = {}
    chosen = set()
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.key.encode()).digest()):
        taken[clip.dataset] = taken.get(clip.dataset, 0) + 1
        if taken[clip.dataset] <= limit:
            chosen.add(clip.key)
    return [clip for clip in clips if clip.key in chosen]


def by_dataset(clips: Sequence[Clip], min_clips: int) -> dict[str, list[int]]:
    """Numbers of the clips of each dataset that has at least `min_clips` of them."""
    numbers: dict[str, list[int]] = {}
    for number, clip in enumerate(clips):
        numbers.setdefault(clip.dataset, []).append(number)
    return {dataset: found for dataset, found in sorted(numbers.items()) if len(found) >= min_clips}


def _paths(folder: Path, split: str) -> list[Path]:
    shards = sorted(folder.glob(f"{split}-*.tar"))
    if not shards and not (folder / split).is_dir():
        raise ManifestError(
            f"{folder} has no {split} split; expected {split}-*.tar shards or a folder '{split}' of sound files."
        )
    return shards or [folder / split]


def code_subset(clips: "Sequence[CodeClip]", limit: int | None, code_rate: float) -> "list[CodeClip]":
    """At most `limit` clips of each dataset as `subset` takes them, not longer than 10 s.

    Args:
        clips: to choose from.
        limit: None takes all.
        code_rate: codes a second.
    """
    max_codes = round(MAX_SECONDS * code_rate)
    return [replace(clip, codes=clip.codes[:max_codes]) for clip in subset(clips, limit)]


def codes_digest(clips: "Sequence[CodeClip]") -> str:
    """16 hexadecimal digits that change with any code and with the clips and their order."""
    return hashlib.sha256(repr([(clip.key, clip.codes) for clip in clips]).encode()).hexdigest()[:16]
