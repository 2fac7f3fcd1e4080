"""What is learned beside a base: PEFT puts it there to be trained, `add` adds it to the base's own weights.

Names are PEFT's. To train needs PEFT; to add does not, which saves a second or two of every start.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from makesomenoise.language.config import LanguageError, LoraConfig

if TYPE_CHECKING:
    from peft import PeftModel

_PREFIX = "base_model.model."
_IN, _OUT = ".lora_A.weight", ".lora_B.weight"
_ROWS = ".token_adapter.trainable_tokens_delta"


def wrap(network: PreTrainedModel, lora: LoraConfig, tokens: list[int], seed: int) -> "PeftModel":
    """Puts matrices beside all linear layers and makes the rows of some tokens trainable; freezes all else.

    Args:
        network: a causal LM; its layers are replaced.
        lora: the matrices.
        tokens: whose rows are learned, also for scores where the base has other rows for them.
        seed: of the matrices.
    """
    import peft  # noqa: PLC0415 - only training needs it

    tables = {id(table) for table in tables_of(network)}
    names = [name for name, module in network.named_modules() if id(module) in tables]
    settings = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        trainable_token_indices=dict.fromkeys(names, tokens),
    )
    wrapped = peft.PeftModelForCausalLM(network, settings)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in learned(wrapped).items():
        if name.endswith(_IN):  # as PEFT does it, but from a seed
            values = nn.init.kaiming_uniform_(torch.empty(tensor.shape), a=math.sqrt(5), generator=generator)
            tensor.copy_(values)
    return wrapped


def learned(wrapped: "PeftModel") -> dict[str, Tensor]:
    """The matrices and rows by name, sharing memory with the model."""
    import peft  # noqa: PLC0415 - only training needs it

    return peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)


def set_learned(wrapped: "PeftModel", state: dict[str, Tensor]) -> None:
    """Replaces matrices and rows.

    Raises:
        LanguageError: if names or shapes are not those of the model.
    """
    own = learned(wrapped)
    _check({name: tensor.shape for name, tensor in own.items()}, state)
    for name, tensor in own.items():
        tensor.copy_(state[name])


def add(network: PreTrainedModel, lora: LoraConfig, state: dict[str, Tensor], first: int) -> None:
    """Adds what was learned to the weights of the base, which are changed.

    Args:
        network: a causal LM that PEFT has not wrapped.
        lora: the matrices.
        state: matrices and rows by name.
        first: token of the first row.

    Raises:
        LanguageError: if names or shapes are not those of the base.
    """
    _check(_expected(network, lora, next((len(t) for n, t in state.items() if n.endswith(_ROWS)), 0)), state)
    with torch.no_grad():
        for name, tensor in state.items():
            if name.endswith(_IN):
                weight = _weight(network, name.removesuffix(_IN))
                product = state[name.removesuffix(_IN) + _OUT].to(weight.device) @ tensor.to(weight.device)
                weight.copy_(weight + lora.alpha / lora.rank * product)
            elif name.endswith(_ROWS):
                _weight(network, name.removesuffix(_ROWS))[first : first + len(tensor)] = tensor


def tables_of(network: PreTrainedModel) -> list[nn.Module]:
    """The layers whose rows are of tokens: the one that reads, and the one that scores unless it is tied to it."""
    ins, outs = network.get_input_embeddings(), network.get_output_embeddings()
    if outs is None:
        raise LanguageError("The base is not a causal language model: it does not score tokens.")
    return [ins] if ins.weight is outs.weight else [ins, outs]


def _expected(network: PreTrainedModel, lora: LoraConfig, rows: int) -> dict[str, torch.Size]:
    """Shapes by name of what a base has learned beside it."""
    shapes = {}
    tables = {id(table) for table in [*tables_of(network), network.get_output_embeddings()]}
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) and id(module) not in tables:
            shapes[f"{_PREFIX}{name}{_IN}"] = torch.Size((lora.rank, module.in_features))
            shapes[f"{_PREFIX}{name}{_OUT}"] = torch.Size((module.out_features, lora.rank))
        elif any(module is table for table in tables_of(network)):
            shapes[f"{_PREFIX}{name}{_ROWS}"] = torch.Size((rows, module.get_parameter("weight").shape[1]))
    return shapes


def _check(shapes: dict[str, torch.Size], state: dict[str, Tensor]) -> None:
    for name in sorted(shapes.keys() | state.keys()):
        if name not in shapes or name not in state or state[name].shape != shapes[name]:
            raise LanguageError(
                f"What was learned does not fit the base or the settings of its matrices ('{name}' differs): "
                "use the base that it was trained with."
            )


def _weight(network: PreTrainedModel, name: str) -> Tensor:
    return network.get_parameter(f"{name.removeprefix(_PREFIX)}.weight")
