"""Builds ONNX graphs on the weights of a model folder, which stay in its one safetensors file; knows no network.

A safetensors file is a header and the bytes of the tensors one after the other, which is what ONNX calls external
data: a graph needs no copy of them. Weights that are stored in 16 or 8 bits are widened by the first nodes of the
graph, which the runtime computes once, when it loads it.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from makesomenoise.engine import onnx_file
from makesomenoise.engine.onnx_file import Attribute, ExternalData, ValueInfo
from makesomenoise.errors import ModelError

_DTYPES = {"F32": "float32", "F16": "float16", "I8": "int8", "U8": "uint8", "I64": "int64", "BOOL": "bool"}
_SCALE = ".scale"


class GraphError(ModelError):
    """Weights that no graph can be built on; the message is one sentence for the user."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a safetensors file.

    Attributes:
        dtype: a key of `onnx_file.ELEMENT_TYPES`.
        shape: its sizes.
        data: where its bytes lie.
    """

    dtype: str
    shape: tuple[int, ...]
    data: ExternalData


def stored_tensors(path: str | Path) -> dict[str, StoredTensor]:
    """What a safetensors file holds, by name, from its header alone.

    Raises:
        GraphError: if it cannot be read, or holds a type of numbers that no model of ours does.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _stored(entry, 8 + size, path.name) for name, entry in entries.items()}
    except (OSError, struct.error, ValueError, KeyError, MemoryError) as error:
        raise GraphError(f"Cannot read the weights {path}: {error}.") from None


def _stored(entry: dict, start: int, location: str) -> StoredTensor:
    first, end = entry["data_offsets"]
    return StoredTensor(
        _DTYPES[entry["dtype"]], tuple(entry["shape"]), ExternalData(location, start + first, end - first)
    )


class GraphBuilder:
    """A graph that grows node by node; values are known by their names.

    Args:
        weights: what `stored_tensors` gave.
    """

    def __init__(self, weights: Mapping[str, StoredTensor]):
        self._weights = weights
        self._graph = onnx_file.Graph()
        self._known: dict[object, str] = {}
        self._count = 0

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Declares an input."""
        self._graph.inputs.append(ValueInfo(name, dtype, tuple(shape)))
        return name

    def output(self, value: str, name: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Declares that a value is an output."""
        self._append("Identity", [value], [name], {})
        self.declare(name, dtype, shape)

    def declare(self, value: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Declares that a value is an output by its own name, without the copy that another one may cost."""
        self._graph.outputs.append(ValueInfo(value, dtype, tuple(shape)))

    def op(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Appends a node of one output; an input that is left out is the empty text."""
        return self.split(op, 1, *inputs, **attributes)[0]

    def split(self, op: str, count: int, *inputs: str, **attributes: Attribute) -> list[str]:
        """Appends a node of several outputs."""
        self._count += 1
        outputs = [f"{op}_{self._count}" + (f"_{place}" if place else "") for place in range(count)]
        self._append(op, list(inputs), outputs, attributes)
        return outputs

    def contrib(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **attributes: Attribute
    ) -> str:
        """Appends a node of an operator that ONNX Runtime has beyond the standard.

        Args:
            op: its name in the domain `com.microsoft`.
            inputs: an input that is left out is the empty text.
            outputs: names of the outputs, if not one of any name.
            attributes: of the node.

        Returns:
            The first output.
        """
        self._count += 1
        named = [f"{op}_{self._count}"] if outputs is None else list(outputs)
        self._append(op, list(inputs), named, attributes, onnx_file.CONTRIB_DOMAIN)
        return named[0]

    def numbers(self, values: float | Sequence[float] | np.ndarray, dtype: str = "float32") -> str:
        """A constant."""
        array = np.asarray(values, dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self._graph.initializers.append(onnx_file.constant(self._known[key], array))
        return self._known[key]

    def sizes(self, *values: int) -> str:
        """A constant of whole numbers [n], as nodes take axes and shapes."""
        return self.numbers(values, "int64")

    def weight(self, name: str, shape: Sequence[int] | None = None) -> str:
        """A weight as float32, however it is stored.

        Args:
            name: in the safetensors file.
            shape: another shape of as many elements; none is its own.

        Raises:
            GraphError: if there is no such weight.
        """
        if name not in self._known:
            self._known[name] = self._widened(name, shape)
        return self._known[name]

    def stored(self, name: str, shape: Sequence[int] | None = None) -> str:
        """A weight as it is stored; see `weight`."""
        if ("stored", name) not in self._known:
            self._known["stored", name] = self._external(name, self.shape_of(name) if shape is None else shape)
        return self._known["stored", name]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The sizes of a weight.

        Raises:
            GraphError: if there is no such weight.
        """
        if name not in self._weights:
            raise GraphError(f"The weights lack '{name}'; use the config.yaml that was saved with them.")
        return self._weights[name].shape

    def to_bytes(self, metadata: Mapping[str, str]) -> bytes:
        """The bytes of an `.onnx` file, with texts that say what it is of."""
        return self._graph.to_bytes(metadata)

    def _widened(self, name: str, shape: Sequence[int] | None) -> str:
        value = self._external(name, self.shape_of(name) if shape is None else shape)
        stored = self._weights[name].dtype
        if stored == "float32":
            return value
        wide = self.op("Cast", value, to=onnx_file.ELEMENT_TYPES["float32"])
        if stored != "int8":
            return wide
        rows = self.shape_of(name)[0]
        return self.op("Mul", wide, self.weight(name + _SCALE, (rows, 1)))

    def _external(self, name: str, shape: Sequence[int]) -> str:
        stored = self._weights[name]
        self._graph.initializers.append(onnx_file.external(name, stored.dtype, shape, stored.data))
        return name

    def _append(
        self, op: str, inputs: list[str], outputs: list[str], attributes: Mapping[str, Attribute], domain: str = ""
    ) -> None:
        self._graph.nodes.append(onnx_file.node(op, inputs, outputs, domain, attributes))
