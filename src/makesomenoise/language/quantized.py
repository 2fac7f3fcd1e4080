"""The default base and what was learned beside it, as a folder that ONNX Runtime computes from; by NumPy alone.

What was learned is added to the base's weights, which are then rounded to 8 bits in blocks of 32 with a scale each. A
step takes 17.6 ms of a slow core so, in 4 bits 11.2, and 15.1 with the base's own blocks of 4 bits as they are and the
low-rank matrices beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from makesomenoise.files import write_bytes, write_text
from makesomenoise.language.cache import SMOLLM2, converted
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.gguf import BLOCK, GgufFile
from makesomenoise.language.graphs import DecoderConfig
from makesomenoise.language.text_tokenizer import TextTokenizer

WEIGHTS_FILE, SIZES_FILE, TOKENIZER_FILE = "model.safetensors", "sizes.yaml", "tokenizer.json"
_VERSION = 1  # of what is kept; another one is converted anew
_BYTES = 160_000_000
_MOST, _ZERO = 127, 128
_PREFIX = "base_model.model.model"
_ROWS = f"{_PREFIX}.embed_tokens.token_adapter.trainable_tokens_delta"
# The linear layers that read the same vectors, as one: names in a GGUF file and in what was learned.
_GROUPS = {
    "qkv": (("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj")),
    "out": (("attn_output", "self_attn.o_proj"),),
    "gate_up": (("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj")),
    "down": (("ffn_down", "mlp.down_proj"),),
}
_NORMS = {"norm": "attn_norm", "feed_norm": "ffn_norm"}


@dataclass(frozen=True)
class Learned:
    """What was learned beside a base.

    Attributes:
        fingerprint: of the model.
        config: its settings.
        state: matrices and rows by the names of PEFT.
    """

    fingerprint: str
    config: LanguageConfig
    state: Mapping[str, np.ndarray]


def quantized(config: LanguageConfig, learned: Learned | None) -> Path:
    """The folder of a model in 8 bits, which is made where it is missing.

    Args:
        config: of the model.
        learned: what is added to the base; none is the base alone.

    Raises:
        LanguageError: if the base is missing, or is not the one that the weights were trained with.
        FileError: if it cannot be written.
    """
    name = f"{learned.fingerprint if learned else SMOLLM2}-8bit-{_VERSION}"
    return converted(name, _BYTES, partial(_convert, config=config, learned=learned))


def blocks(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix [N, K] as `steps` [N, K / 32, 32] of 8 bits around 128, and `scales` [N, K / 32]."""
    parts = matrix.reshape(len(matrix), -1, BLOCK)
    scales = np.abs(parts).max(axis=2) / np.float32(_MOST)
    scales = np.where(scales == 0.0, np.float32(1.0), scales).astype(np.float32)
    return {"steps": (np.rint(parts / scales[..., None]) + _ZERO).astype(np.uint8), "scales": scales}


def from_blocks(steps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Rows [N, K] of what `blocks` has written."""
    return ((steps.astype(np.float32) - _ZERO) * scales[..., None]).reshape(len(steps), scales.shape[1] * BLOCK)


def _convert(gguf: Path, folder: Path, config: LanguageConfig, learned: Learned | None) -> None:
    file = GgufFile(gguf)
    sizes = _sizes(file, config)
    weights = _decoder(sizes, file, _Adapter(config, learned))
    text = blocks(file.tensor("token_embd.weight"))
    weights |= {f"text.{part}": array for part, array in text.items()}
    rows = learned.state[_ROWS] if learned else np.zeros((config.codebook_size + 2, sizes.hidden))
    weights["audio.weight"] = rows.astype(np.float32)
    write_bytes(folder / WEIGHTS_FILE, safetensors.numpy.save(weights))
    write_text(folder / SIZES_FILE, sizes.to_yaml())
    TextTokenizer.from_gguf(file).save(folder / TOKENIZER_FILE)


def _sizes(file: GgufFile, config: LanguageConfig) -> DecoderConfig:
    if file.fields.get("general.architecture") != "llama":
        raise LanguageError("The base is no Llama: give `--engine torch`.")
    fields = {name.removeprefix("llama."): value for name, value in file.fields.items()}
    hidden, heads = fields["embedding_length"], fields["attention.head_count"]
    return DecoderConfig(
        layers=fields["block_count"],
        hidden=hidden,
        intermediate=fields["feed_forward_length"],
        heads=heads,
        kv_heads=fields["attention.head_count_kv"],
        head_dim=hidden // heads,
        epsilon=fields["attention.layer_norm_rms_epsilon"],
        rope_base=fields["rope.freq_base"],
        positions=config.context_tokens,
    )


def _decoder(sizes: DecoderConfig, file: GgufFile, adapter: "_Adapter") -> dict[str, np.ndarray]:
    weights = {"norm": file.tensor("output_norm.weight")}
    turned = {"attn_q": sizes.heads, "attn_k": sizes.kv_heads}
    for number in range(sizes.layers):
        for name, members in _GROUPS.items():
            matrices = []
            for stored, trained in members:
                matrix = file.tensor(f"blk.{number}.{stored}.weight")
                matrix = _halves(matrix, turned[stored]) if stored in turned else matrix
                matrices.append(adapter.added(matrix, f"{_PREFIX}.layers.{number}.{trained}"))
            weights |= {f"{number}.{name}.{part}": array for part, array in blocks(np.concatenate(matrices)).items()}
        weights |= {f"{number}.{name}": file.tensor(f"blk.{number}.{stored}.weight") for name, stored in _NORMS.items()}
    adapter.check_all_added()
    return weights


def _halves(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Rows whose neighbours are turned together, as GGUF has them, to those of which halves of a head are."""
    rows, width = matrix.shape
    return matrix.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


class _Adapter:
    """Adds what was learned to matrices."""

    def __init__(self, config: LanguageConfig, learned: Learned | None):
        self._scale = np.float32(config.lora.alpha / config.lora.rank)
        self._left = dict(learned.state) if learned else {}
        self._nothing = learned is None
        self._left.pop(_ROWS, None)

    def added(self, matrix: np.ndarray, name: str) -> np.ndarray:
        if self._nothing:
            return matrix
        down, up = (self._left.pop(f"{name}.lora_{part}.weight", None) for part in "AB")
        if down is None or up is None or (len(up), down.shape[1]) != matrix.shape:
            raise self._misfit(name)
        return matrix + self._scale * (up @ down)

    def check_all_added(self) -> None:
        if self._left:
            raise self._misfit(min(self._left))

    def _misfit(self, name: str) -> LanguageError:
        return LanguageError(
            f"What was learned does not fit the base or the settings of its matrices ('{name}' differs): "
            "use the base that it was trained with."
        )
