"""The weights of the default base with what was learned added to them, by NumPy alone; knows not what they are for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.gguf import GgufFile
from makesomenoise.language.graphs import DecoderConfig

_PREFIX = "base_model.model.model"
_ROWS = f"{_PREFIX}.embed_tokens.token_adapter.trainable_tokens_delta"
# Linear layers: names in a GGUF file, and in what was learned.
LINEAR = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


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


class MergedLlama:
    """A Llama with what was learned added to its linear layers.

    Args:
        file: the base.
        config: of the model.
        learned: what is added; none is the base alone.

    Attributes:
        sizes: of the network.
        rows: [K + 2, H] of the new words; zeros for the base alone.

    Raises:
        LanguageError: if the base is no Llama.
    """

    def __init__(self, file: GgufFile, config: LanguageConfig, learned: Learned | None):
        self._file, self._nothing = file, learned is None
        self.sizes = _sizes(file, config)
        self._scale = np.float32(config.lora.alpha / config.lora.rank)
        self._left = dict(learned.state) if learned else {}
        rows = self._left.pop(_ROWS, None)
        self.rows = np.zeros((config.codebook_size + 2, self.sizes.hidden), np.float32)
        if rows is not None:
            self.rows += rows

    def plain(self, name: str) -> np.ndarray:
        """A tensor of the base beside which nothing was learned, by its name in GGUF without `.weight`."""
        return self._file.tensor(f"{name}.weight")

    def matrix(self, layer: int, name: str) -> np.ndarray:
        """One of `LINEAR`, whose rows are those of transformers: the halves of a head are turned together.

        Raises:
            LanguageError: if what was learned is not of its shape.
        """
        matrix = self.plain(f"blk.{layer}.{name}")
        turned = self.turned_heads(name)
        matrix = matrix if turned is None else _halves(matrix, turned)
        return matrix if self._nothing else self._added(matrix, f"{_PREFIX}.layers.{layer}.{LINEAR[name]}")

    def turned_heads(self, name: str) -> int | None:
        """Number of heads of a linear layer whose vectors are turned by their positions, else none."""
        return {"attn_q": self.sizes.heads, "attn_k": self.sizes.kv_heads}.get(name)

    def check_all_added(self) -> None:
        """Looks, after the last matrix, whether there was one for all that was learned.

        Raises:
            LanguageError: if there was not.
        """
        if self._left:
            raise _misfit(min(self._left))

    def _added(self, matrix: np.ndarray, name: str) -> np.ndarray:
        down, up = (self._left.pop(f"{name}.lora_{part}.weight", None) for part in "AB")
        if down is None or up is None or (len(up), down.shape[1]) != matrix.shape:
            raise _misfit(name)
        return matrix + self._scale * (up @ down)


def neighbours(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Rows as transformers has them, the halves of a head turned together, to those of GGUF, where neighbours are."""
    rows, width = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _halves(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Inverse of `neighbours`."""
    rows, width = matrix.shape
    return matrix.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)


def _misfit(name: str) -> LanguageError:
    return LanguageError(
        f"What was learned does not fit the base or the settings of its matrices ('{name}' differs): "
        "use the base that it was trained with."
    )


def _sizes(file: GgufFile, config: LanguageConfig) -> DecoderConfig:
    kind = file.fields.get("general.architecture")
    if kind != "llama":
        raise LanguageError(
            f"The base is of the architecture '{kind}', and only 'llama' can be read without torch: "
            "give `--engine torch`, or merge with `--format hf`."
        )
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
