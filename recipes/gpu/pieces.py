"""Weights as a few small safetensors files: what comes back from a machine that returns little.

Each piece says of which step it is and how many there are, so that half a checkpoint is never taken for a whole one.
"""

from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from recipes.gpu.errors import RecipeError

PIECE_BYTES = 15_000_000  # below the 16 MB that such machines return in one file
MOST_PIECES = 8
_NAME = "weights-{}.safetensors"


@dataclass(frozen=True)
class Joined:
    """A whole checkpoint.

    Attributes:
        state: tensors by name, in 16 bits.
        step: of the training.
    """

    state: dict[str, Tensor]
    step: int


def split(state: dict[str, Tensor], piece_bytes: int = PIECE_BYTES) -> list[dict[str, Tensor]]:
    """Spreads tensors, in 16 bits, over pieces.

    Raises:
        RecipeError: if they fill more than `MOST_PIECES`.
    """
    pieces, room = [], 0
    for name, tensor in state.items():
        half = tensor.detach().to("cpu", torch.float16).contiguous()
        if half.nbytes > room:
            pieces.append({})
            room = piece_bytes
        pieces[-1][name] = half
        room -= half.nbytes
    if len(pieces) > MOST_PIECES:
        raise RecipeError(
            f"The weights fill {len(pieces)} pieces of {piece_bytes / 1e6:g} MB, more than {MOST_PIECES}; "
            "train a smaller network."
        )
    return pieces


def save_pieces(folder: Path, state: dict[str, Tensor], step: int, piece_bytes: int = PIECE_BYTES) -> None:
    """Writes a checkpoint over the one before.

    Args:
        folder: made if missing.
        state: tensors by name.
        step: of the training.
        piece_bytes: largest size of a piece.

    Raises:
        RecipeError: see `split`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = split(state, piece_bytes)
    about = {"step": str(step), "pieces": str(len(pieces))}
    parts = [folder / (_NAME.format(number) + ".part") for number in range(len(pieces))]
    for piece, part in zip(pieces, parts, strict=True):
        part.write_bytes(safetensors.torch.save(piece, about))
    for part in parts:  # all of them are whole by now: this takes no time in which a machine might go
        part.replace(part.with_suffix(""))


def join_pieces(folder: Path) -> Joined:
    """Reads the checkpoint of a folder.

    Raises:
        RecipeError: if there is none, or only a part of one.
    """
    state: dict[str, Tensor] = {}
    abouts = []
    for path in sorted(folder.glob(_NAME.format("*"))):
        try:
            with safetensors.safe_open(path, "pt") as file:
                abouts.append(file.metadata() or {})
                state |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (OSError, safetensors.SafetensorError) as error:
            raise RecipeError(f"Cannot read the piece {path}: {error}.") from None
    if not abouts:
        raise RecipeError(f"{folder} holds no weights: the training ended before its first checkpoint.")
    if any(about != abouts[0] for about in abouts) or len(abouts) != int(abouts[0].get("pieces", 0)):
        raise RecipeError(f"{folder} holds {len(abouts)} pieces that are no whole checkpoint; fetch all of them again.")
    return Joined(state, int(abouts[0]["step"]))
