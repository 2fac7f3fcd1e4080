"""The networks of a tokenizer as ONNX graphs on the weights of its model folder: what `network.py` is in torch.

Three graphs: the encoder with the quantizer, the trunk that reads latents once a decoding, and the denoiser that is
asked in every step of a sampler. Names of weights are those of the torch modules, and tests hold both to the same
results.
"""

import math
from collections.abc import Mapping

import numpy as np

from makesomenoise.engine import layers
from makesomenoise.engine.graph import GraphBuilder, GraphError, StoredTensor
from makesomenoise.tokenizer.config import (
    CODES_PER_POSITION,
    FRAMES_PER_CODE,
    EmaConfig,
    EncoderConfig,
    FsqConfig,
    NetworkConfig,
    TokenizerConfig,
    VariationalConfig,
)

Weights = Mapping[str, StoredTensor]
_PEAK_REACH, _PEAK_SHARPNESS = 4, 6.0  # of `audio.peaks`
_SLOWEST, _FASTEST, _SPAN_OCTAVES = 0.1, 1000.0, 6.0  # of `nn.conditioning.StepEmbedding`


def check_sizes(config: TokenizerConfig, weights: Weights, origin: str) -> None:
    """Looks whether weights are of the sizes that the configuration says.

    Raises:
        GraphError: if one is not there or of another shape.
    """
    encoder, network, bands = config.encoder, config.decoder.network, config.mel.n_mels
    branch = encoder.semantic_branch
    rows = -(-bands // (FRAMES_PER_CODE * CODES_PER_POSITION))
    expected = {
        "encoder.out.weight": (encoder.latent_dim, encoder.dim),
        "encoder.embed.bias": (encoder.frame_dim,),
        "encoder.scene.project.weight": (branch.dim, branch.channels[-1] * rows),
        "decoder.network.latents_in.weight": (network.dim, encoder.latent_dim),
        "decoder.network.mel_in.weight": (network.frame_dim, bands),
        "decoder.mean": (bands,),
    }
    for name, shape in expected.items():
        if name not in weights or weights[name].shape != shape:
            what = "has another shape of" if name in weights else "lacks"
            raise GraphError(
                f"The weights of {origin} do not match its config.yaml: the file {what} '{name}'; "
                "use the config.yaml that was saved with them."
            )


def encoder_graph(config: TokenizerConfig, weights: Weights) -> GraphBuilder:
    """Log-mel `mel` [B, M, 4N] to `codes` [B, N] int64.

    Raises:
        GraphError: if the weights do not fit the configuration, or the quantizer is one that no graph is known for.
    """
    g, bands = GraphBuilder(weights), config.mel.n_mels
    mel = g.input("mel", "float32", ("batch", bands, "frames"))
    scale = config.scale
    mel = g.op("Max", mel, g.numbers(scale.floor))
    mel = g.op("Div", g.op("Sub", mel, g.numbers(scale.mean)), g.numbers(scale.deviation))
    latents = _latents(g, mel, config.encoder, bands)
    codebook = g.op("LpNormalization", _embeddings(g, config), axis=-1, p=2)
    likeness = g.op("MatMul", latents, g.op("Transpose", codebook, perm=(1, 0)))
    g.output(g.op("ArgMax", likeness, axis=-1, keepdims=0), "codes", "int64", ("batch", "codes"))
    return g


def trunk_graph(config: TokenizerConfig, weights: Weights) -> GraphBuilder:
    """`latents` [B, N, D] to the condition of the denoiser: `by_code` [B, N, C] and `by_frame` [B, 4N, F]."""
    g, network, name = GraphBuilder(weights), config.decoder.network, "decoder.network"
    x = g.input("latents", "float32", ("batch", "codes", config.encoder.latent_dim))
    x = layers.linear(g, x, f"{name}.latents_in")
    for number in range(network.trunk_layers):
        x = layers.adaptive_block(g, x, f"{name}.trunk.{number}")
    x = layers.layer_norm(g, x, f"{name}.trunk_norm")
    frames = _to_frames(g, layers.linear(g, x, f"{name}.trunk_up"), network.frame_dim)
    g.output(x, "by_code", "float32", ("batch", "codes", network.dim))
    g.output(frames, "by_frame", "float32", ("batch", "frames", network.frame_dim))
    return g


def denoiser_graph(config: TokenizerConfig, weights: Weights) -> GraphBuilder:
    """Frames `x` [B, 4N, M], the condition, and `t`, `span` and `guidance` [B] to the network's `result` [B, 4N, M]."""
    g, network, name = GraphBuilder(weights), config.decoder.network, "decoder.network"
    bands = config.mel.n_mels
    x = g.input("x", "float32", ("batch", "frames", bands))
    by_code = g.input("by_code", "float32", ("batch", "codes", network.dim))
    by_frame = g.input("by_frame", "float32", ("batch", "frames", network.frame_dim))
    embedding = _step(g, *(g.input(step, "float32", ("batch",)) for step in ("t", "span", "guidance")))
    frame_steps = _modulations(g, embedding, f"{name}.frame_modulation")
    code_steps = _modulations(g, embedding, f"{name}.code_modulation")
    before, after = frame_steps[: network.frame_layers], frame_steps[network.frame_layers :]
    frames = g.op("Add", layers.linear(g, x, f"{name}.mel_in"), by_frame)
    frames = _through(g, frames, f"{name}.frames_before", before)
    codes = g.op("Add", layers.linear(g, _to_codes(g, frames, network), f"{name}.down"), by_code)
    codes = layers.layer_norm(g, _through(g, codes, f"{name}.middle", code_steps), f"{name}.middle_norm")
    frames = g.op("Add", frames, _to_frames(g, layers.linear(g, codes, f"{name}.up"), network.frame_dim))
    frames = layers.layer_norm(g, _through(g, frames, f"{name}.frames_after", after), f"{name}.norm")
    g.output(layers.linear(g, frames, f"{name}.mel_out"), "result", "float32", ("batch", "frames", bands))
    return g


def _latents(g: GraphBuilder, mel: str, config: EncoderConfig, bands: int) -> str:
    """Normalised log-mel [B, M, 4N] to latents [B, N, D]: `tokenizer.encoder.Encoder`."""
    x = layers.convolution(g, g.op("Transpose", mel, perm=(0, 2, 1)), "encoder.embed")
    for number in range(config.frame_layers):
        x = layers.convnext_block(g, x, f"encoder.frame_blocks.{number}")
    x = layers.convolution(g, x, "encoder.down.conv", FRAMES_PER_CODE)
    if config.spectral_peak_input:
        x = g.op("Add", x, layers.convolution(g, _peaks(g, mel, bands), "encoder.peaks", FRAMES_PER_CODE))
    x = g.op("Add", x, _semantic_branch(g, mel, x, config))
    angles = layers.rotations(g, x, config.dim // config.heads)
    for number in range(config.layers):
        x = layers.transformer_block(g, x, f"encoder.blocks.{number}", config.heads, angles)
    x = layers.linear(g, layers.layer_norm(g, x, "encoder.norm"), "encoder.out")
    variance = g.op("Add", g.weight("encoder.spread.running_var"), g.numbers(1e-5))
    return g.op("Div", g.op("Sub", x, g.weight("encoder.spread.running_mean")), g.op("Sqrt", variance))


def _semantic_branch(g: GraphBuilder, mel: str, like: str, config: EncoderConfig) -> str:
    """The semantic branch [B, N, C], each of its positions for eight codes, as long as `like`."""
    branch, name = config.semantic_branch, "encoder.scene"
    maps = layers.spectrogram_trunk(g, g.op("Unsqueeze", mel, g.sizes(1)), f"{name}.trunk")
    x = g.op("Reshape", g.op("Transpose", maps, perm=(0, 3, 1, 2)), g.sizes(0, 0, -1))
    x = layers.linear(g, x, f"{name}.project")
    angles = layers.rotations(g, x, branch.dim // branch.heads)
    for number in range(branch.layers):
        x = layers.transformer_block(g, x, f"{name}.blocks.{number}", branch.heads, angles)
    x = layers.layer_norm(g, x, f"{name}.norm")
    weight = g.weight("encoder.scene_in.weight", (config.dim, branch.dim))
    x = g.op("Add", g.op("MatMul", x, g.op("Transpose", weight, perm=(1, 0))), g.weight("encoder.scene_in.bias"))
    x = g.op("Expand", g.op("Unsqueeze", x, g.sizes(2)), g.sizes(1, 1, CODES_PER_POSITION, 1))
    x = g.op("Reshape", x, g.sizes(0, -1, config.dim))
    return g.op("Slice", x, g.sizes(0), g.op("Shape", like, start=1, end=2), g.sizes(1))


def _peaks(g: GraphBuilder, mel: str, bands: int) -> str:
    """How much each band stands out [B, 4N, M]: `audio.peaks.peak_shares`, even shares as 0."""
    maps = g.op("Unsqueeze", mel, g.sizes(1))
    wide = g.op("Pad", maps, g.sizes(0, 0, _PEAK_REACH, 0, 0, 0, _PEAK_REACH, 0), mode="edge")
    mean = g.op("AveragePool", wide, kernel_shape=(2 * _PEAK_REACH + 1, 1))
    over = g.op("Sub", maps, mean)
    over = g.op("AveragePool", over, kernel_shape=(1, 3), pads=(0, 1, 0, 1), count_include_pad=1)
    over = g.op("Transpose", g.op("Squeeze", over, g.sizes(1)), perm=(0, 2, 1))
    shares = g.op("Softmax", g.op("Mul", over, g.numbers(_PEAK_SHARPNESS)), axis=-1)
    shares = g.op("Sub", g.op("Mul", shares, g.numbers(float(bands))), g.numbers(1.0))
    return g.op("Div", shares, g.numbers(5.0))


def _embeddings(g: GraphBuilder, config: TokenizerConfig) -> str:
    match config.quantizer:
        case VariationalConfig():
            return g.weight("quantizer.embeddings")
        case EmaConfig():
            name = "quantizer.layer._codebook.embed"
            return g.weight(name, g.shape_of(name)[1:])
        case FsqConfig():
            raise GraphError("No graph is known for a quantizer of kind fsq; give `--engine torch`.")


def _step(g: GraphBuilder, t: str, span: str, guidance: str) -> str:
    """`nn.conditioning.StepEmbedding`: [B, C]."""
    name = "decoder.network.step"
    waves, span_waves = g.shape_of(f"{name}.time.weight")[1] // 2, g.shape_of(f"{name}.jump.weight")[1] - 2
    falling = np.exp(-math.log(_FASTEST / _SLOWEST) * np.arange(waves, dtype=np.float32) / np.float32(waves))
    rising = np.float32(math.pi / 2.0) * 2.0 ** np.linspace(0.0, _SPAN_OCTAVES, span_waves)
    t, span, guidance = (g.op("Unsqueeze", value, g.sizes(1)) for value in (t, span, guidance))
    angles = g.op("Mul", g.op("Mul", t, g.numbers(_FASTEST)), g.numbers(falling))
    time = layers.linear(g, g.op("Concat", g.op("Cos", angles), g.op("Sin", angles), axis=-1), f"{name}.time")
    hidden = layers.linear(g, _silu(g, time), f"{name}.hidden")
    excess = g.op("Sub", guidance, g.numbers(1.0))
    waves_of_span = g.op("Sin", g.op("Mul", span, g.numbers(rising)))
    features = g.op("Concat", waves_of_span, excess, g.op("Mul", excess, span), axis=-1)
    return _silu(g, g.op("Add", hidden, layers.linear(g, features, f"{name}.jump", bias=False)))


def _silu(g: GraphBuilder, x: str) -> str:
    return g.op("Mul", x, g.op("Sigmoid", x))


def _modulations(g: GraphBuilder, embedding: str, name: str) -> list[str]:
    """`nn.conditioning.Modulation`: [B, 3, C] for each block."""
    blocks, _, width = g.shape_of(f"{name}.offsets")
    shared = g.op("Reshape", layers.linear(g, embedding, f"{name}.project"), g.sizes(-1, 1, 3, width))
    every = g.split("Split", blocks, g.op("Add", shared, g.weight(f"{name}.offsets")), axis=1, num_outputs=blocks)
    return [g.op("Squeeze", one, g.sizes(1)) for one in every]


def _through(g: GraphBuilder, x: str, name: str, modulations: list[str]) -> str:
    for number, modulation in enumerate(modulations):
        x = layers.adaptive_block(g, x, f"{name}.{number}", modulation)
    return x


def _to_codes(g: GraphBuilder, frames: str, network: NetworkConfig) -> str:
    """[B, 4N, F] to [B, N, 4F]: the four frames of a code side by side, as they lie in memory."""
    return g.op("Reshape", frames, g.sizes(0, -1, FRAMES_PER_CODE * network.frame_dim))


def _to_frames(g: GraphBuilder, codes: str, frame_dim: int) -> str:
    """[B, N, 4F] to [B, 4N, F]; inverse of `_to_codes`."""
    return g.op("Reshape", codes, g.sizes(0, -1, frame_dim))
