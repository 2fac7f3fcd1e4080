"""The layers of `nn`, which is for training, as nodes of a graph; names of weights are those of its modules.

Sequences are [B, T, C] throughout: channels lie last, as matrix products read them.
"""

from makesomenoise.engine.graph import GraphBuilder

_EPSILON = 1e-6


def linear(g: GraphBuilder, x: str, name: str, bias: bool = True) -> str:
    """`nn.Linear` over the last axis."""
    product = g.op("MatMul", x, g.op("Transpose", g.weight(f"{name}.weight"), perm=(1, 0)))
    return g.op("Add", product, g.weight(f"{name}.bias")) if bias else product


def layer_norm(g: GraphBuilder, x: str, name: str) -> str:
    """`nn.LayerNorm` over the last axis."""
    weight, bias = g.weight(f"{name}.weight"), g.weight(f"{name}.bias")
    return g.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=_EPSILON)


def rms_norm(g: GraphBuilder, x: str, name: str) -> str:
    """`nn.RMSNorm` over the last axis."""
    square = g.op("ReduceMean", g.op("Mul", x, x), g.sizes(-1), keepdims=1)
    root = g.op("Sqrt", g.op("Add", square, g.numbers(_EPSILON)))
    return g.op("Mul", g.op("Div", x, root), g.weight(f"{name}.weight"))


def convolution(g: GraphBuilder, x: str, name: str, stride: int = 1) -> str:
    """`nn.Conv1d`, centred where its stride is 1, else of a kernel as wide as its stride."""
    kernel = g.shape_of(f"{name}.weight")[-1]
    pad = kernel // 2 if stride == 1 else 0
    y = g.op("Transpose", x, perm=(0, 2, 1))
    y = g.op("Conv", y, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), pads=(pad, pad), strides=(stride,))
    return g.op("Transpose", y, perm=(0, 2, 1))


def spectrogram_trunk(g: GraphBuilder, maps: str, name: str) -> str:
    """`nn.spectrogram.SpectrogramTrunk`: [B, 1, M, T] to [B, C, ceil(M / 32), ceil(T / 32)]."""
    for number, stride in enumerate((4, 2, 2, 2)):
        maps = _normalised_convolution(g, maps, f"{name}.{number}", stride)
    return g.op("Add", maps, _normalised_convolution(g, maps, f"{name}.4.inner", 1))


def _normalised_convolution(g: GraphBuilder, maps: str, name: str, stride: int) -> str:
    pad = g.shape_of(f"{name}.0.weight")[-1] // 2
    maps = g.op("Conv", maps, g.weight(f"{name}.0.weight"), pads=(pad,) * 4, strides=(stride, stride))
    norm = [g.weight(f"{name}.1.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
    return g.op("Relu", g.op("BatchNormalization", maps, *norm, epsilon=1e-5))


def depthwise(g: GraphBuilder, x: str, name: str) -> str:
    """`nn.Conv1d` of one filter a channel, centred; in two dimensions, for which runtimes have fast code."""
    channels, _, kernel = g.shape_of(f"{name}.weight")
    pad = kernel // 2
    y = g.op("Unsqueeze", g.op("Transpose", x, perm=(0, 2, 1)), g.sizes(2))
    weight = g.weight(f"{name}.weight", (channels, 1, 1, kernel))
    y = g.op("Conv", y, weight, g.weight(f"{name}.bias"), group=channels, pads=(0, pad, 0, pad))
    return g.op("Transpose", g.op("Squeeze", y, g.sizes(2)), perm=(0, 2, 1))


def feed(g: GraphBuilder, x: str, first: str, second: str) -> str:
    """Two linear layers with a GELU between them."""
    return linear(g, g.op("Gelu", linear(g, x, first)), second)


def convnext_block(g: GraphBuilder, x: str, name: str) -> str:
    """`nn.convnext.ConvNeXtBlock`."""
    y = layer_norm(g, depthwise(g, x, f"{name}.dwconv"), f"{name}.norm")
    y = feed(g, y, f"{name}.pwconv1", f"{name}.pwconv2")
    return g.op("Add", x, g.op("Mul", y, g.weight(f"{name}.gamma")))


def adaptive_block(g: GraphBuilder, x: str, name: str, modulation: str | None = None) -> str:
    """`nn.convnext.AdaptiveConvNeXtBlock`; a modulation is [B, 3, C]."""
    y = layer_norm(g, depthwise(g, x, f"{name}.mix"), f"{name}.norm")
    if modulation is None:
        return g.op("Add", x, feed(g, y, f"{name}.up", f"{name}.down"))
    shift, scale, gate = g.split("Split", 3, modulation, axis=1, num_outputs=3)
    one = g.numbers(1.0)
    y = g.op("Add", shift, g.op("Mul", y, g.op("Add", scale, one)))
    return g.op("Add", x, g.op("Mul", feed(g, y, f"{name}.up", f"{name}.down"), g.op("Add", gate, one)))


def transformer_block(g: GraphBuilder, x: str, name: str, heads: int, angles: tuple[str, str]) -> str:
    """`nn.transformer.TransformerBlock`; the angles are the cosines and sines of `rotations`."""
    x = g.op("Add", x, _attention(g, layer_norm(g, x, f"{name}.attention_norm"), f"{name}.attention", heads, angles))
    x = g.op("Add", x, depthwise(g, x, f"{name}.local"))
    return g.op("Add", x, feed(g, layer_norm(g, x, f"{name}.feed_norm"), f"{name}.feed.0", f"{name}.feed.2"))


def rotations(g: GraphBuilder, x: str, head_dim: int, base: float = 1000.0) -> tuple[str, str]:
    """Cosines and sines [T, head_dim / 2] of `nn.transformer.rotary_angles` for a sequence [B, T, C]."""
    length = g.op("Gather", g.op("Shape", x), g.numbers(1, "int64"))
    places = g.op("Cast", g.op("Range", g.numbers(0, "int64"), length, g.numbers(1, "int64")), to=1)
    rates = [base ** -(place / head_dim) for place in range(0, head_dim, 2)]
    angles = g.op("Mul", g.op("Unsqueeze", places, g.sizes(1)), g.numbers(rates))
    return g.op("Cos", angles), g.op("Sin", angles)


def _attention(g: GraphBuilder, x: str, name: str, heads: int, angles: tuple[str, str]) -> str:
    dim = g.shape_of(f"{name}.out.weight")[0]
    split = g.op("Reshape", linear(g, x, f"{name}.qkv", bias=False), g.sizes(0, 0, 3, heads, dim // heads))
    parts = g.split("Split", 3, g.op("Transpose", split, perm=(2, 0, 3, 1, 4)), axis=0, num_outputs=3)
    q, k, v = (g.op("Squeeze", part, g.sizes(0)) for part in parts)
    q = _rotated(g, rms_norm(g, q, f"{name}.query_norm"), angles)
    k = _rotated(g, rms_norm(g, k, f"{name}.key_norm"), angles)
    scores = g.op("MatMul", g.op("Mul", q, g.numbers((dim // heads) ** -0.5)), g.op("Transpose", k, perm=(0, 1, 3, 2)))
    y = g.op("Transpose", g.op("MatMul", g.op("Softmax", scores, axis=-1), v), perm=(0, 2, 1, 3))
    return linear(g, g.op("Reshape", y, g.sizes(0, 0, dim)), f"{name}.out", bias=False)


def _rotated(g: GraphBuilder, x: str, angles: tuple[str, str]) -> str:
    first, second = g.split("Split", 2, x, axis=-1, num_outputs=2)
    cos, sin = angles
    turned = g.op("Sub", g.op("Mul", first, cos), g.op("Mul", second, sin))
    crossed = g.op("Add", g.op("Mul", second, cos), g.op("Mul", first, sin))
    return g.op("Concat", turned, crossed, axis=-1)
