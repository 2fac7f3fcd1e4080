"""Sounds of packs in the memory of a device: all clips one after another, and where each of them lies."""

import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from recipes.gpu.errors import RecipeError

SOUNDS_FILE, INDEX_FILE = "sounds.bin", "index.json"
SAMPLE_RATE = 24_000
_LONGEST_COUNTED = 10 * SAMPLE_RATE


@dataclass(frozen=True)
class Packed:
    """One clip of a pack.

    Attributes:
        split: `train` or `valid`.
        dataset: name of the collection that it comes from.
        size: bytes of its Ogg Opus file.
        key: its name in the corpus.
    """

    split: str
    dataset: str
    size: int
    key: str


@dataclass(frozen=True)
class Tape:
    """Clips of one split.

    Attributes:
        samples: [S] int16 at 24 kHz.
        starts: [C] first sample of each clip.
        lengths: [C] number of its samples.
        chances: [C] how often it is drawn, relative to the others.
    """

    samples: Tensor
    starts: Tensor
    lengths: Tensor
    chances: Tensor


def write_index(pack: Path, clips: Sequence[Packed]) -> None:
    """Says what lies in the file of sounds, in its order."""
    rows = [[clip.split, clip.dataset, clip.size, clip.key] for clip in clips]
    (pack / INDEX_FILE).write_text(json.dumps(rows, separators=(",", ":")), encoding="utf-8")


def read_index(pack: Path) -> list[Packed]:
    """What lies in the file of sounds, in its order.

    Raises:
        RecipeError: if this is no pack.
    """
    try:
        return [Packed(*row) for row in json.loads((pack / INDEX_FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise RecipeError(f"{pack} is no pack: {error}.") from None


def read_tapes(packs: Sequence[Path], shares: dict[str, float], device: torch.device) -> dict[str, Tape]:
    """Decodes packs on all cores.

    Args:
        packs: what `recipes.gpu.pack` wrote.
        shares: share of the draws that go to the clips of a dataset; the others share the rest.
        device: receives the samples.

    Returns:
        The tapes by split.

    Raises:
        RecipeError: if a pack is damaged.
    """
    indexes = [read_index(pack) for pack in packs]
    pieces = [piece for pack, index in zip(packs, indexes, strict=True) for piece in _pieces(pack, index)]
    clips = [clip for index in indexes for clip in index]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        sounds = list(pool.map(decoded, pieces, chunksize=16))
    splits = sorted({clip.split for clip in clips})
    return {split: _tape(split, clips, sounds, shares, device) for split in splits}


def _pieces(pack: Path, index: Sequence[Packed]) -> list[bytes]:
    """The Ogg Opus files of a pack."""
    sizes = [clip.size for clip in index]
    data = (pack / SOUNDS_FILE).read_bytes() if (pack / SOUNDS_FILE).is_file() else b""
    if sum(sizes) != len(data):
        raise RecipeError(f"The sounds of {pack} do not fit its {INDEX_FILE}; pack anew.")
    ends = np.cumsum(sizes)
    return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def decoded(data: bytes) -> np.ndarray:
    """An Ogg Opus file to samples [S] int16."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    if rate != SAMPLE_RATE:
        raise RecipeError(f"The pack holds a clip at {rate} Hz, not {SAMPLE_RATE}; pack anew.")
    return samples[:, 0]


def _tape(
    split: str, clips: Sequence[Packed], sounds: Sequence[np.ndarray], shares: dict[str, float], device: torch.device
) -> Tape:
    chosen = [(clip, sound) for clip, sound in zip(clips, sounds, strict=True) if clip.split == split]
    lengths = np.array([len(sound) for _, sound in chosen])
    names = np.array([clip.dataset for clip, _ in chosen])
    # Of other datasets the root of the length counts: a longer clip holds more, but not in proportion.
    weights = np.sqrt(np.minimum(lengths, _LONGEST_COUNTED))
    present = {name: share for name, share in shares.items() if (names == name).any()}
    others = ~np.isin(names, list(present))
    chances = np.where(others, weights / max(weights[others].sum(), 1.0) * (1.0 - sum(present.values())), 0.0)
    for name, share in present.items():
        chances[names == name] = share / (names == name).sum()
    return Tape(
        torch.from_numpy(np.concatenate([sound for _, sound in chosen])).to(device),
        torch.from_numpy(np.cumsum(lengths) - lengths).to(device),
        torch.from_numpy(lengths).to(device),
        torch.from_numpy(chances).float().to(device),
    )
