"""Cutting endless streams into overlapping blocks and joining what is made of them; knows no model.

A block's place depends on its number alone, never on how the stream was chunked. A model that only ever sees blocks
therefore gives the same result for a whole file and for any chunking of it.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Block:
    """A piece of a stream with its surroundings.

    Attributes:
        content: [..., left + size + right].
        number: 0, 1, 2, ... along the stream.
        left: length of the context before; shorter only at the start of the stream, longer only at its end.
        size: length of the piece itself; shorter only at the end of the stream.
        right: length of the context after; shorter only near the end of the stream.
    """

    content: np.ndarray
    number: int
    left: int
    size: int
    right: int


def blocks(chunks: Iterable[np.ndarray], size: int, context: int, filled: bool = False) -> Iterator[Block]:
    """Cuts a stream along its last axis; holds about two blocks and a chunk at a time.

    Args:
        chunks: consecutive pieces [..., n] of the stream, of any lengths.
        size: length of a block.
        context: length of the context on each side.
        filled: let blocks at the end of the stream, which lack what comes after, reach back further, so that they are
            as long as the others: what a network has never seen, it does badly.
    """
    #            number * size
    #     | context |<-- size -->| context |
    #   ^ origin: the place of held[0] in the stream; what no later block reaches back to is dropped
    kept = context + (size + context if filled else 0)
    held: np.ndarray | None = None
    origin = number = 0
    for chunk in chunks:
        held = chunk if held is None else np.concatenate((held, chunk), axis=-1)
        while origin + held.shape[-1] >= (number + 1) * size + context:
            yield _block(held, origin, number, size, context, filled)
            number += 1
            drop = max(number * size - kept - origin, 0)
            held, origin = held[..., drop:], origin + drop
    while held is not None and number * size < origin + held.shape[-1]:
        yield _block(held, origin, number, size, context, filled)
        number += 1


def padded(chunks: Iterable[np.ndarray], multiple: int) -> Iterator[np.ndarray]:
    """The stream [n] with zeros after its end, up to a multiple of `multiple`."""
    total, last = 0, None
    for chunk in chunks:
        total += chunk.shape[-1]
        yield chunk
        last = chunk
    if last is not None and total % multiple:
        yield np.zeros(multiple - total % multiple, last.dtype)


def joined(pieces: Iterable[tuple[np.ndarray, int, int]], fade: int) -> Iterator[np.ndarray]:
    """Joins overlapping pieces [..., n] by cross-fading them around each seam.

    Args:
        pieces: each piece with the length of its surroundings before and after, as the fields of `Block` count them;
            the context and the size of the blocks are at least `fade // 2`.
        fade: length of the cross-fade, half of it on each side of the seam; shorter where the stream ends before.
    """
    half = fade // 2
    tail: np.ndarray | None = None
    for piece, left, right in pieces:
        before, after = min(left, half), min(right, half)
        kept = piece[..., left - before : piece.shape[-1] - right + after]
        if tail is not None:
            overlap = tail.shape[-1]
            rise = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
            kept = np.concatenate((tail * (1.0 - rise) + kept[..., :overlap] * rise, kept[..., overlap:]), axis=-1)
        ready = kept.shape[-1] - (half + after if right else 0)
        yield kept[..., :ready]
        tail = kept[..., ready:] if right else None


def run_in_groups(
    streams: Sequence[Iterable[Block]],
    run: Callable[[Sequence[Block]], list[np.ndarray]],
    shape: Callable[[Block], Hashable],
    size: int,
) -> list[list[tuple[Block, np.ndarray]]]:
    """Runs a model on the blocks of several streams, some at a time.

    Args:
        streams: blocks of each.
        run: the model: from blocks of the same shape, at most `size`, to a result for each.
        shape: what blocks must have in common to be run together.
        size: largest number of them.

    Returns:
        For each stream its blocks and their results, in order.
    """
    found: list[dict[int, tuple[Block, np.ndarray]]] = [{} for _ in streams]
    waiting: defaultdict[Hashable, list[tuple[int, Block]]] = defaultdict(list)

    def flush(group: list[tuple[int, Block]]) -> None:
        for (row, block), result in zip(group, run([block for _, block in group]), strict=True):
            found[row][block.number] = block, result
        group.clear()

    for row, stream in enumerate(streams):
        for block in stream:
            group = waiting[shape(block)]
            group.append((row, block))
            if len(group) == size:
                flush(group)
    for group in waiting.values():
        if group:
            flush(group)
    return [[results[number] for number in sorted(results)] for results in found]


def _block(held: np.ndarray, origin: int, number: int, size: int, context: int, filled: bool) -> Block:
    end = origin + held.shape[-1]
    start, stop = number * size, min((number + 1) * size, end)
    right = min(end - stop, context)
    missing = size - (stop - start) + context - right
    left = min(start, context + missing if filled else context)
    content = held[..., start - left - origin : stop + right - origin]
    return Block(content, number, left, stop - start, right)
