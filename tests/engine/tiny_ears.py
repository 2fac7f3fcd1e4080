"""Networks whose embedding is the mean magnitude of each of some equal pieces of a window, as files."""

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as tflite
from onnx import TensorProto, helper, numpy_helper


def write_onnx(path: Path, window: int, pieces: int, shape: Sequence[int | str] | None = None) -> Path:
    """Outputs: 0 the negative of the embedding, 1 the embedding. The shape of the input is [1, window] if not given."""
    nodes = [
        helper.make_node("Abs", ["waveform"], ["magnitude"]),
        helper.make_node("Reshape", ["magnitude", "sizes"], ["pieces"]),
        helper.make_node("ReduceMean", ["pieces"], ["embedding"], axes=[1], keepdims=0),
        helper.make_node("Neg", ["embedding"], ["negative"]),
    ]
    given = helper.make_tensor_value_info("waveform", TensorProto.FLOAT, shape or [1, window])
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [pieces]) for name in ("negative", "embedding")]
    sizes = numpy_helper.from_array(np.array([pieces, window // pieces]), "sizes")
    graph = helper.make_graph(nodes, "ear", [given], made, [sizes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def write_tflite(path: Path, window: int, pieces: int) -> Path:
    """Tensors: 0 the waveform, 4 the embedding, 5 its negative, which is the output."""
    shapes = [[1, window], [1, window], [1, pieces, window // pieces], [3], [1, pieces], [1, pieces], [1]]
    operators = [
        _operator(0, [0], [1]),
        _operator(1, [1, 3], [2]),
        _operator(2, [2, 6], [4], tflite.BuiltinOptions.ReducerOptions, tflite.ReducerOptionsT()),
        _operator(3, [4], [5]),
    ]
    constants = {3: np.array([1, pieces, window // pieces], np.int32), 6: np.array([2], np.int32)}
    graph = tflite.SubGraphT(
        tensors=[_tensor(number, shape, number in constants) for number, shape in enumerate(shapes)],
        inputs=[0],
        outputs=[5],
        operators=operators,
    )
    kinds = tflite.BuiltinOperator
    codes = [tflite.OperatorCodeT(deprecatedBuiltinCode=n, builtinCode=n) for n in (kinds.ABS, kinds.RESHAPE)]
    codes += [tflite.OperatorCodeT(deprecatedBuiltinCode=n, builtinCode=n) for n in (kinds.MEAN, kinds.NEG)]
    data = [constants[n].view(np.uint8) if n in constants else None for n in range(len(shapes))]
    buffers = [tflite.BufferT(), *(tflite.BufferT(data=one) for one in data)]  # the first is that of what has none
    model = tflite.ModelT(version=3, operatorCodes=codes, subgraphs=[graph], buffers=buffers)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _operator(code: int, inputs: list[int], outputs: list[int], kind: int = 0, options: object = None):
    made = tflite.OperatorT(opcodeIndex=code, inputs=inputs, outputs=outputs)
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def _tensor(number: int, shape: list[int], constant: bool):
    kind = tflite.TensorType.INT32 if constant else tflite.TensorType.FLOAT32
    return tflite.TensorT(shape=shape, type=kind, buffer=number + 1, name=f"tensor{number}")
