"""Reads GGUF files, as llama.cpp's public format says they are: texts and numbers by name, and tensors in blocks.

Only what our base needs: plain floats, and blocks of 32 in 8 bits (Q8_0) or 4 (Q4_1). Tensors stay in the file until
they are asked for.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from makesomenoise.language.config import LanguageError

BLOCK = 32
_MAGIC, _VERSIONS = b"GGUF", (2, 3)
_ALIGNMENT, _USUAL_ALIGNMENT = "general.alignment", 32
# GGUFValueType: how a value is written.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# GGMLType: what a block of it is in memory, and how many numbers that is.
_BLOCKS = {
    0: (np.dtype("<f4"), 1),
    1: (np.dtype("<f2"), 1),
    3: (np.dtype([("scale", "<f2"), ("least", "<f2"), ("steps", "u1", BLOCK // 2)]), BLOCK),  # Q4_1
    8: (np.dtype([("scale", "<f2"), ("steps", "i1", BLOCK)]), BLOCK),  # Q8_0
}


@dataclass(frozen=True)
class _Stored:
    kind: int
    shape: tuple[int, ...]
    offset: int


class GgufFile:
    """A GGUF file.

    Args:
        path: the file.

    Attributes:
        fields: numbers, texts and lists of them, by name.

    Raises:
        LanguageError: if it cannot be read.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
            self.fields, self._tensors, self._start = _Reader(self._bytes).header()
        except (OSError, ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
            raise LanguageError(f"Cannot read the language model {path} ({error}).") from None

    def tensor(self, name: str) -> np.ndarray:
        """A tensor as float32.

        Raises:
            LanguageError: if there is none of that name, or in a form that is not known here.
        """
        stored = self._tensors.get(name)
        if stored is None or stored.kind not in _BLOCKS:
            raise LanguageError(f"The language model {self._path} has no tensor '{name}' of a form that is known.")
        block, length = _BLOCKS[stored.kind]
        first, count = self._start + stored.offset, int(np.prod(stored.shape)) // length
        blocks = self._bytes[first : first + count * block.itemsize].view(block)
        return _widened(blocks).reshape(stored.shape)


def _widened(blocks: np.ndarray) -> np.ndarray:
    if blocks.dtype.names is None:
        return blocks.astype(np.float32)
    scale = blocks["scale"].astype(np.float32)[:, None]
    if "least" not in blocks.dtype.names:
        return scale * blocks["steps"]
    # The low halves of the bytes are the first sixteen numbers of a block.
    steps = np.concatenate((blocks["steps"] & 15, blocks["steps"] >> 4), axis=1)
    return scale * steps + blocks["least"].astype(np.float32)[:, None]


class _Reader:
    """Reads what stands before the tensors."""

    def __init__(self, data: np.ndarray):
        self._data, self._place = data.data, 0

    def header(self) -> tuple[dict[str, Any], dict[str, _Stored], int]:
        """Fields, tensors by name, and where the bytes of the tensors begin."""
        if bytes(self._data[:4]) != _MAGIC:
            raise ValueError("it is no GGUF file")
        self._place = len(_MAGIC)
        version, tensors, fields = self._number("I"), self._number("Q"), self._number("Q")
        if version not in _VERSIONS:
            raise ValueError(f"it is of version {version}")
        known = {self._text(): self._value(self._number("I")) for _ in range(fields)}
        stored = {self._text(): self._tensor() for _ in range(tensors)}
        alignment = known.get(_ALIGNMENT, _USUAL_ALIGNMENT)
        return known, stored, -(-self._place // alignment) * alignment

    def _tensor(self) -> _Stored:
        sizes = self._numbers("Q", self._number("I"))
        return _Stored(self._number("I"), tuple(reversed(sizes)), self._number("Q"))

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(_NUMBERS[kind])
        inner, count = self._number("I"), self._number("Q")
        if inner in _NUMBERS:
            return list(self._numbers(_NUMBERS[inner], count))
        return [self._value(inner) for _ in range(count)]

    def _text(self) -> str:
        # There are a hundred thousand of them: this takes a third of what `struct` would.
        first = self._place + 8
        self._place = first + int.from_bytes(self._data[self._place : first], "little")
        return str(self._data[first : self._place], "utf-8")

    def _number(self, code: str) -> Any:
        return self._numbers(code, 1)[0]

    def _numbers(self, code: str, count: int) -> tuple:
        form = struct.Struct(f"<{count}{code}")
        self._place += form.size
        return form.unpack_from(self._data, self._place - form.size)
