"""The default base and what was learned beside it, as a folder that ONNX Runtime computes from; by NumPy alone.

What was learned is added to the base's weights, which are then rounded to 8 bits in blocks of 32 with a scale each. A
step takes 17.6 ms of a slow core so, in 4 bits 11.2, and 15.1 with the base's own blocks of 4 bits as they are and the
low-rank matrices beside them.
"""

from functools import partial
from pathlib import Path

import numpy as np
import safetensors.numpy

from makesomenoise.files import write_bytes, write_text
from makesomenoise.language.cache import SMOLLM2, converted
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.gguf import BLOCK, GgufFile
from makesomenoise.language.merged_llama import Learned, MergedLlama
from makesomenoise.language.text_tokenizer import TextTokenizer

WEIGHTS_FILE, SIZES_FILE, TOKENIZER_FILE = "model.safetensors", "sizes.yaml", "tokenizer.json"
_VERSION = 1  # of what is kept; another one is converted anew
_BYTES = 160_000_000
_MOST, _ZERO = 127, 128
# The linear layers that read the same vectors, as one.
_GROUPS = {
    "qkv": ("attn_q", "attn_k", "attn_v"),
    "out": ("attn_output",),
    "gate_up": ("ffn_gate", "ffn_up"),
    "down": ("ffn_down",),
}
_NORMS = {"norm": "attn_norm", "feed_norm": "ffn_norm"}


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
    merged = MergedLlama(file, config, learned)
    weights = _decoder(merged)
    weights |= {f"text.{part}": array for part, array in blocks(merged.plain("token_embd")).items()}
    weights["audio.weight"] = merged.rows
    write_bytes(folder / WEIGHTS_FILE, safetensors.numpy.save(weights))
    write_text(folder / SIZES_FILE, merged.sizes.to_yaml())
    TextTokenizer.from_gguf(file).save(folder / TOKENIZER_FILE)


def _decoder(merged: MergedLlama) -> dict[str, np.ndarray]:
    weights = {"norm": merged.plain("output_norm")}
    for number in range(merged.sizes.layers):
        for name, members in _GROUPS.items():
            matrix = np.concatenate([merged.matrix(number, member) for member in members])
            weights |= {f"{number}.{name}.{part}": array for part, array in blocks(matrix).items()}
        weights |= {f"{number}.{name}": merged.plain(f"blk.{number}.{stored}") for name, stored in _NORMS.items()}
    merged.check_all_added()
    return weights
