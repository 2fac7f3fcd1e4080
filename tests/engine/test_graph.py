import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from makesomenoise.engine.base import EngineError
from makesomenoise.engine.graph import GraphBuilder, GraphError, stored_tensors
from makesomenoise.engine.onnx import OnnxSession, usual_threads

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((3, 4)).astype(np.float32)


@pytest.fixture
def weights(tmp_path):
    rounded = np.round(MATRIX * 40).astype(np.int8)
    scales = np.array([0.5, 2.0, 0.25], np.float16)
    tensors = {"whole": MATRIX, "half": MATRIX.astype(np.float16), "byte": rounded, "byte.scale": scales}
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def product(path, name, x):
    g = GraphBuilder(stored_tensors(path))
    value = g.op("MatMul", g.input("x", "float32", ("batch", 4)), g.op("Transpose", g.weight(name), perm=(1, 0)))
    g.output(value, "y", "float32", ("batch", 3))
    return OnnxSession(g, path.parent, 1)({"x": x})[0]


@pytest.mark.parametrize(("name", "error"), [("whole", 1e-6), ("half", 3e-3)])
def test_weights_are_read_where_they_lie(weights, name, error):
    x = RNG.standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(product(weights, name, x), x @ MATRIX.T, atol=error)


def test_weights_in_8_bits_are_widened_by_the_scale_of_their_row(weights):
    x = np.eye(4, dtype=np.float32)
    expected = np.round(MATRIX * 40) * np.array([[0.5], [2.0], [0.25]])
    np.testing.assert_allclose(product(weights, "byte", x).T, expected)


def test_a_graph_is_an_onnx_file(weights):
    g = GraphBuilder(stored_tensors(weights))
    x = g.input("x", "float32", ("batch", 3))
    first, second = g.split("Split", 2, g.op("Concat", x, g.numbers([[1.0]]), axis=-1), axis=1, num_outputs=2)
    g.output(g.op("LayerNormalization", first, g.numbers([1.0, 1.0]), epsilon=1e-6), "y", "float32", ("batch", 2))
    g.output(second, "z", "float32", ("batch", 2))
    read = onnx.load_from_string(g.to_bytes({"fingerprint": "0123"}))
    onnx.checker.check_model(read)
    assert [(entry.key, entry.value) for entry in read.metadata_props] == [("fingerprint", "0123")]
    assert [value.name for value in read.graph.input] == ["x"]
    assert [value.name for value in read.graph.output] == ["y", "z"]
    assert onnx.helper.get_node_attr_value(read.graph.node[0], "axis") == -1
    assert onnx.helper.get_node_attr_value(read.graph.node[2], "epsilon") == pytest.approx(1e-6)


def test_the_same_constant_is_held_once(weights):
    g = GraphBuilder(stored_tensors(weights))
    assert g.numbers(1.0) == g.numbers(1.0)
    assert g.numbers(1.0) != g.numbers([1.0])
    assert g.sizes(1) != g.numbers([1.0])


def test_what_is_missing_is_named(weights, tmp_path):
    with pytest.raises(GraphError, match="lack 'other'"):
        GraphBuilder(stored_tensors(weights)).weight("other")
    with pytest.raises(GraphError, match="Cannot read the weights"):
        stored_tensors(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no header, but text")
    with pytest.raises(GraphError, match="Cannot read the weights"):
        stored_tensors(tmp_path / "text.safetensors")


def test_a_network_that_the_runtime_does_not_know_is_one_sentence(tmp_path):
    g = GraphBuilder({})
    g.output(g.op("NoSuchOperator", g.input("x", "float32", (1,))), "y", "float32", (1,))
    with pytest.raises(EngineError, match=r"ONNX Runtime .* cannot load the network"):
        OnnxSession(g, tmp_path)


def test_there_is_a_thread_for_every_core_up_to_eight():
    assert 1 <= usual_threads() <= 8
    assert usual_threads(1000) == 1
