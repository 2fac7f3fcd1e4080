"""What a language model's training will take: parameters, memory, and hours on a GPU of a name; without its weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from makesomenoise.errors import ConfigError
from makesomenoise.language.base import find_base
from makesomenoise.language.config import LanguageError, LoraConfig
from makesomenoise.training.language.trainer import LanguageRunConfig

_STATE_BYTES = 16  # of a learned parameter: value, gradient and two moments, in float32
_KEPT_OF_WIDTH, _KEPT_OF_INNER = 12, 4  # numbers a token and layer that the backward pass needs, in widths of the layer
_UTILIZATION = 0.35  # of what a data sheet says, in trainings of layers this wide
_MARKS = 2  # start and end of a sound


@dataclass(frozen=True)
class Estimate:
    """What a run takes on one device.

    Attributes:
        base_parameters: of the text model, with its embeddings.
        learned_parameters: of matrices and rows.
        weights_bytes: of the base.
        learned_bytes: of what is learned, with gradients and moments.
        activation_bytes: of one batch, about.
    """

    base_parameters: int
    learned_parameters: int
    weights_bytes: int
    learned_bytes: int
    activation_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weights_bytes + self.learned_bytes + self.activation_bytes

    def __str__(self) -> str:
        parts = (self.weights_bytes, self.learned_bytes, self.activation_bytes, self.total_bytes)
        weights, learned, activations, total = (f"{part / 2**30:.1f} GiB" for part in parts)
        return (
            f"{self.base_parameters / 1e6:,.0f} M parameters, {self.learned_parameters / 1e6:.1f} M of them beside it "
            f"learned: {weights} of weights, {learned} of learned state, about {activations} of activations; {total}."
        )


def estimate(
    base: str, shape: dict[str, Any], lora: LoraConfig, run: LanguageRunConfig, codebook_size: int = 1024
) -> Estimate:
    """Estimates a run from the shape of its base.

    Args:
        base: see `find_base`; only its configuration is read.
        shape: settings of its architecture for transformers, with `model_type`; then `base` is not looked for.
        lora: the low-rank matrices.
        run: size of a step.
        codebook_size: number of codes K.

    Raises:
        LanguageError: if there is neither a shape nor a base whose configuration can be read.
    """
    config = _config(base, shape)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    scores = network.get_output_embeddings()
    linear = [m for m in network.modules() if isinstance(m, nn.Linear) and m is not scores]
    tables = 1 if config.tie_word_embeddings else 2
    rows = tables * (codebook_size + _MARKS) * config.hidden_size
    learned = rows + sum(lora.rank * (m.in_features + m.out_features) for m in linear)
    parameters = sum(p.numel() for p in network.parameters())
    size = 4 if run.precision == "float32" else 2
    kept = _KEPT_OF_WIDTH * config.hidden_size + _KEPT_OF_INNER * config.intermediate_size
    layers = config.num_hidden_layers
    numbers = layers * config.hidden_size + kept if run.gradient_checkpointing else layers * kept
    activations = run.batch_tokens * (numbers + config.vocab_size) * size
    return Estimate(parameters, learned, parameters * size, learned * _STATE_BYTES, activations)


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet.

    Attributes:
        memory_bytes: of its own.
        flops: products and sums a second in bfloat16 (of a T4: float16), without sparsity.
    """

    memory_bytes: float
    flops: float


GPUS = {
    "t4": Gpu(15 * 2**30, 65e12),
    "l4": Gpu(22 * 2**30, 121e12),
    "rtx4090": Gpu(24 * 2**30, 165e12),
    "a100-40gb": Gpu(40 * 2**30, 312e12),
    "a100-80gb": Gpu(80 * 2**30, 312e12),
    "h100": Gpu(79 * 2**30, 989e12),
    "h200": Gpu(140 * 2**30, 989e12),
}


@dataclass(frozen=True)
class GpuPlan:
    """A run on GPUs of a name.

    Attributes:
        gpu: its name.
        devices: how many of them.
        hours: how long, about: data sheets at the share of them that such trainings reach.
        needed_bytes: memory on each.
        memory_bytes: that each has.
    """

    gpu: str
    devices: int
    hours: float
    needed_bytes: float
    memory_bytes: float

    def __str__(self) -> str:
        needed, there = self.needed_bytes / 2**30, self.memory_bytes / 2**30
        fits = "fits" if needed <= there else "does not fit: use FSDP, a smaller batch or gradient_checkpointing"
        return (
            f"On {self.devices} x {self.gpu}: about {self.hours:.1f} h at {_UTILIZATION:.0%} of the data sheet; "
            f"{needed:.1f} of {there:.0f} GiB each, which {fits}."
        )


def plan(estimated: Estimate, gpu: str, devices: int, tokens: int, recomputes: bool) -> GpuPlan:
    """Hours and memory of a run.

    Args:
        estimated: what it takes on one device.
        gpu: name, as in `GPUS`.
        devices: how many of them.
        tokens: that the run learns from, on all devices together.
        recomputes: whether activations are computed again in the backward pass.

    Raises:
        ConfigError: if nothing is known of such a GPU.
    """
    known = GPUS.get(gpu.lower())
    if known is None:
        raise ConfigError(f"Nothing is known of the GPU '{gpu}': give one of {', '.join(GPUS)}.")
    # Two for each weight forward, two for the gradient that passes through it; frozen weights have none of their own.
    each = (4 + 2 * recomputes) * estimated.base_parameters + 6 * estimated.learned_parameters
    hours = each * tokens / (known.flops * _UTILIZATION * devices) / 3600.0
    return GpuPlan(gpu, devices, hours, estimated.total_bytes, known.memory_bytes)


def _config(base: str, shape: dict[str, Any]) -> PreTrainedConfig:
    try:
        return AutoConfig.for_model(**shape) if shape else AutoConfig.from_pretrained(find_base(base))
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, LanguageError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise LanguageError(f"Cannot read the configuration of the base '{base}' ({reason}).") from None
