"""The networks of a small Llama as graphs of ONNX Runtime, on weights in blocks of 32 with a scale each.

Vectors of tokens are looked up by whoever runs them: what a graph reads is [B, S, H] already.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from makesomenoise.config import Config
from makesomenoise.engine import layers
from makesomenoise.engine.graph import GraphBuilder, StoredTensor

_BITS = 8
_INT8 = 4  # accuracy level: activations may be rounded to 8 bits for the product


class DecoderConfig(Config):
    """Sizes of a Llama.

    Attributes:
        layers: number of layers.
        hidden: size H of the vectors between them.
        intermediate: size of those inside the feed-forward layers.
        heads: number of heads that ask.
        kv_heads: number of heads that answer.
        head_dim: size D of a head's vectors.
        epsilon: of the norms.
        rope_base: wavelengths of the positions grow up to this.
        positions: the most tokens.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    epsilon: float
    rope_base: float
    positions: int


def decoder_graph(config: DecoderConfig, weights: Mapping[str, StoredTensor]) -> GraphBuilder:
    """Vectors of tokens to what the network makes of them.

    Inputs are `vectors` [B, S, H], `positions` [B, S], `last` [B], the place of each row's last token counted from the
    row's first, `total`, the most tokens of a row, `bias` [1, 1, S, total], added to what tokens are to each other, and
    `keys.n` and `values.n` [B, G, C, D] of each layer n. Outputs are `hidden` [B, S, H] and `new_keys.n` and
    `new_values.n`, which may be the same memory as those that went in.
    """
    g = GraphBuilder(weights)
    x = g.input("vectors", "float32", ("B", "S", config.hidden))
    shared = (
        g.input("last", "int32", ("B",)),
        g.input("total", "int32", ()),
        *(g.numbers(table) for table in _rotations(config)),
        g.input("positions", "int64", ("B", "S")),
        g.input("bias", "float32", (1, 1, "S", "total")),
    )
    sum_ = x
    x = g.op("SimplifiedLayerNormalization", x, g.weight("0.norm"), axis=-1, epsilon=config.epsilon)
    for number in range(config.layers):
        x = linear(g, _attention(g, config, x, number, shared), f"{number}.out")
        x, sum_ = _added(g, config, x, sum_, f"{number}.feed_norm")
        x = _feed(g, x, number)
        following = f"{number + 1}.norm" if number + 1 < config.layers else "norm"
        x, sum_ = _added(g, config, x, sum_, following)
    g.output(x, "hidden", "float32", ("B", "S", config.hidden))
    return g


def scores_graph(name: str, weights: Mapping[str, StoredTensor]) -> GraphBuilder:
    """Hidden vectors `hidden` [B, H] to `scores` [B, V] of the tokens whose rows are `name`, in blocks or plain."""
    g = GraphBuilder(weights)
    x = g.input("hidden", "float32", ("B", "H"))
    plain = f"{name}.weight" in weights
    g.output(layers.linear(g, x, name, bias=False) if plain else linear(g, x, name), "scores", "float32", ("B", "V"))
    return g


def linear(g: GraphBuilder, x: str, name: str) -> str:
    """A product with a matrix in blocks, whose parts lie under `name`."""
    count, blocks, size = g.shape_of(f"{name}.steps")
    inputs = [x, g.stored(f"{name}.steps"), g.stored(f"{name}.scales")]
    return g.contrib("MatMulNBits", inputs, K=blocks * size, N=count, block_size=size, bits=_BITS, accuracy_level=_INT8)


def _attention(g: GraphBuilder, config: DecoderConfig, x: str, number: int, shared: Sequence[str]) -> str:
    last, total, cosines, sines, positions, bias = shared
    sizes = ("B", config.kv_heads, "C", config.head_dim)
    kept = [g.input(f"{kind}.{number}", "float32", sizes) for kind in ("keys", "values")]
    outputs = [f"attention.{number}", f"new_keys.{number}", f"new_values.{number}"]
    found = g.contrib(
        "GroupQueryAttention",
        [linear(g, x, f"{number}.qkv"), "", "", *kept, last, total, cosines, sines, positions, bias],
        outputs,
        num_heads=config.heads,
        kv_num_heads=config.kv_heads,
        do_rotary=1,
    )
    for name in outputs[1:]:
        g.declare(name, "float32", sizes)
    return found


def _feed(g: GraphBuilder, x: str, number: int) -> str:
    gate, up = g.split("Split", 2, linear(g, x, f"{number}.gate_up"), axis=-1, num_outputs=2)
    gate = g.contrib("QuickGelu", [gate], alpha=1.0)  # x * sigmoid(x), which is SiLU
    return linear(g, g.op("Mul", gate, up), f"{number}.down")


def _added(g: GraphBuilder, config: DecoderConfig, x: str, sum_: str, name: str) -> tuple[str, str]:
    """The sum of two values, normed, and the sum itself."""
    outputs = [f"{name}.out", "", "", f"{name}.sum"]
    inputs = [sum_, x, g.weight(name)]
    g.contrib("SkipSimplifiedLayerNormalization", inputs, outputs, epsilon=config.epsilon)
    return outputs[0], outputs[-1]


def _rotations(config: DecoderConfig) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines [P, D / 2] of the positions."""
    rates = config.rope_base ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.arange(config.positions)[:, None] * rates
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
