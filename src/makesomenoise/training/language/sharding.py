"""Shares a base too large for one device out between several (PyTorch's `fully_shard`); knows no data and no loss.

Asked for as DDP is, by whoever launches: accelerate with `distributed_type: FSDP`, which tells its processes through
the variable that is read here. A device then holds a part of every layer, and the whole of the one that it is at. What
stands in checkpoints is whole, and the same as without: a run goes on on any number of devices, either way.
"""

import logging
from collections.abc import Iterable
from typing import Any

import torch
from accelerate.utils import parse_flag_from_env
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

_log = logging.getLogger(__name__)


def is_sharded() -> bool:
    """Whether the processes of this run share a model out between them."""
    return distributed.is_available() and distributed.is_initialized() and parse_flag_from_env("ACCELERATE_USE_FSDP")


def shard(learner: nn.Module, layers: Iterable[nn.Module]) -> None:
    """Shares out a module; from then on all processes must call it together, and read its weights within it alone.

    Args:
        learner: is called as a whole.
        layers: the parts of it that are gathered one after another.
    """
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (distributed.get_world_size(),))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(learner, mesh=mesh)
    sizes = [
        (tensor.to_local().numel(), tensor.numel()) for tensor in learner.parameters() if isinstance(tensor, DTensor)
    ]
    here, everywhere = (sum(counts) for counts in zip(*sizes, strict=True))
    _log.info("%d of %d parameters are kept here", here, everywhere)
    learner.__dict__["_is_accelerate_prepared"] = True  # else accelerate puts it into DDP as well


def whole(state: Any) -> Any:
    """A tree of dictionaries and lists with its tensors gathered; all processes must call it together."""
    if isinstance(state, dict):
        return {name: whole(value) for name, value in state.items()}
    if isinstance(state, list):
        return [whole(value) for value in state]
    return state.full_tensor() if isinstance(state, DTensor) else state


def shared_out(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The whole state of an optimizer, with what belongs to a shared parameter shared out as that is."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {
        number: {name: _like(value, parameters[number]) for name, value in kept.items()}
        for number, kept in state["state"].items()
    }
    return {**state, "state": moments}


def _like(value: Any, parameter: Tensor) -> Any:
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
