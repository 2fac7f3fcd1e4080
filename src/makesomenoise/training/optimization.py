"""AdamW, the schedule of its learning rate, and the moving average of weights; needs no Lightning."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from makesomenoise.config import Config

if TYPE_CHECKING:
    from pytorch_lightning.utilities.types import OptimizerLRScheduler  # a recipe optimises without Lightning


class OptimiserConfig(Config):
    """How the weights move.

    Attributes:
        learning_rate: highest rate of AdamW; held, then falling in a straight line to a hundredth.
        warmup_steps: steps over which it rises from 0.
        falling: share of the run over which it falls. Until then a run can be made longer without loss.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        average: decay of the moving average of weights that is shipped.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 200
    falling: float = 0.4
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step of a run of `steps`, as a factor of the highest."""
        return factor(step, steps, self.warmup_steps, self.falling, least=0.01)


def adamw(parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW in one fused call; biases and scales do not decay."""
    trained = list(parameters)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)


def optimisers(parameters: Iterable[nn.Parameter], config: OptimiserConfig, steps: int) -> "OptimizerLRScheduler":
    """AdamW and its schedule, as Lightning takes them."""
    optimiser = adamw(parameters, config.learning_rate, config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: config.rate(step, steps))
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, config: OptimiserConfig, step: int) -> None:
    """Moves the average towards the network after step `step`; frozen weights are left alone to the bit."""
    decay = min(config.average, (1 + step) / (10 + step))
    for kept, new in zip(average.state_dict().values(), network.state_dict(keep_vars=True).values(), strict=True):
        if isinstance(new, nn.Parameter) and not new.requires_grad:
            continue
        kept.lerp_(new, 1.0 - decay) if kept.is_floating_point() else kept.copy_(new)


def factor(step: int, steps: int, warmup_steps: int, falling: float, least: float) -> float:
    """The rate of a step of a run of `steps`, as a factor of the highest.

    Args:
        step: from 0 on.
        steps: length of the run.
        warmup_steps: steps over which it rises from 0.
        falling: share of the run over which it falls in a straight line; until then a run can be made longer without
            loss.
        least: where it stops falling.
    """
    left = max(steps - step, 0) / max(falling * steps, 1.0)
    return min((step + 1) / max(warmup_steps, 1), max(left, least), 1.0)
