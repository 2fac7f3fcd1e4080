"""The few parts of the ONNX file format that our graphs use, written without the `onnx` package; knows no network.

ONNX files are protobuf messages (onnx/onnx.proto of the ONNX project). A message is a row of fields, each a number with
a wire type and a value, so that writing them takes no more than this page, and a program that only runs networks needs
no package of 30 MB for it.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

OPSET, IR_VERSION = 20, 9
CONTRIB_DOMAIN, CONTRIB_OPSET = "com.microsoft", 1
ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float16": 10}

Attribute = int | float | str | Sequence[int]
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7  # AttributeProto.AttributeType
_EXTERNAL = 1


@dataclass(frozen=True)
class ValueInfo:
    """An input or output of a graph.

    Attributes:
        name: of the value.
        dtype: a key of `ELEMENT_TYPES`.
        shape: sizes, or names of sizes that may differ from call to call.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class ExternalData:
    """Where the bytes of a tensor lie.

    Attributes:
        location: name of a file beside the graph.
        offset: bytes before it.
        length: bytes of it.
    """

    location: str
    offset: int
    length: int


@dataclass
class Graph:
    """A graph that grows; its parts are messages that are written already.

    Attributes:
        inputs: what a call gives.
        outputs: what a call gets.
        nodes: in an order in which they can be run.
        initializers: constants and weights.
    """

    inputs: list[ValueInfo] = field(default_factory=list)
    outputs: list[ValueInfo] = field(default_factory=list)
    nodes: list[bytes] = field(default_factory=list)
    initializers: list[bytes] = field(default_factory=list)

    def to_bytes(self, metadata: Mapping[str, str]) -> bytes:
        """The bytes of an `.onnx` file, with texts that say what it is of."""
        parts = [_message(1, node) for node in self.nodes] + [_text(2, "makesomenoise")]
        parts += [_message(5, tensor) for tensor in self.initializers]
        parts += [_message(11, _value(value)) for value in self.inputs]
        parts += [_message(12, _value(value)) for value in self.outputs]
        opsets = [_opset("", OPSET), _opset(CONTRIB_DOMAIN, CONTRIB_OPSET)]
        model = [_number(1, IR_VERSION), _text(2, "makesomenoise"), _message(7, b"".join(parts))]
        model += [_message(8, opset) for opset in opsets]
        model += [_message(14, _entry(key, text)) for key, text in metadata.items()]
        return b"".join(model)


def node(
    op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: Mapping[str, Attribute]
) -> bytes:
    """A NodeProto."""
    parts = [_text(1, name) for name in inputs] + [_text(2, name) for name in outputs]
    parts += [_text(3, outputs[0]), _text(4, op)]
    parts += [_message(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join([*parts, _text(7, domain)] if domain else parts)


def constant(name: str, array: np.ndarray) -> bytes:
    """A TensorProto that holds its values."""
    head = _tensor_head(name, array.dtype.name, array.shape)
    return head + _message(9, np.ascontiguousarray(array).tobytes())


def external(name: str, dtype: str, shape: Sequence[int], data: ExternalData) -> bytes:
    """A TensorProto whose values lie in another file."""
    entries = {"location": data.location, "offset": str(data.offset), "length": str(data.length)}
    parts = [_message(13, _entry(key, text)) for key, text in entries.items()]
    return b"".join([_tensor_head(name, dtype, shape), *parts, _number(14, _EXTERNAL)])


def _tensor_head(name: str, dtype: str, shape: Sequence[int]) -> bytes:
    sizes = [_number(1, size) for size in shape]
    return b"".join([*sizes, _number(2, ELEMENT_TYPES[dtype]), _text(8, name)])


def _attribute(name: str, value: Attribute) -> bytes:
    match value:
        case float():
            kind, written = _FLOAT, _key(2, 5) + struct.pack("<f", value)
        case int():
            kind, written = _INT, _number(3, value)
        case str():
            kind, written = _STRING, _text(4, value)
        case _:
            kind, written = _INTS, b"".join(_number(8, number) for number in value)
    return _text(1, name) + written + _number(20, kind)


def _value(value: ValueInfo) -> bytes:
    sizes = [_number(1, size) if isinstance(size, int) else _text(2, size) for size in value.shape]
    shape = b"".join(_message(1, size) for size in sizes)
    tensor = _number(1, ELEMENT_TYPES[value.dtype]) + _message(2, shape)
    return _text(1, value.name) + _message(2, _message(1, tensor))


def _opset(domain: str, version: int) -> bytes:
    return _text(1, domain) + _number(2, version)


def _entry(key: str, text: str) -> bytes:
    return _text(1, key) + _text(2, text)


def _message(number: int, content: bytes) -> bytes:
    return _key(number, 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _number(number: int, value: int) -> bytes:
    return _key(number, 0) + _varint(value)


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64-bit two's complement."""
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - what seven bits hold
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
