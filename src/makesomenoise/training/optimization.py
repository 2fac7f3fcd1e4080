"""AdamW, the schedule of its learning rate, and the moving average of weights; needs no Lightning."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import nn

from makesomenoise.config import Config

if TYPE_CHECKING:
    from pytorch_lightning.utilities.types import OptimizerLRScheduler  # a recipe trains without Lightning


class ScheduleConfig(Config):
    """How a learning rate moves over a run: it rises, is held and decays.

    Attributes:
        warmup_steps: steps over which it rises from 0.
        decay: its way down, in a straight line or along half a cosine.
        decay_fraction: share of the run over which it decays, after the warm-up at the earliest. Until then a run can
            be made longer without loss.
        final_factor: where it stops decaying, as a factor of the highest.
    """

    warmup_steps: int = Field(default=200, ge=0)
    decay: Literal["linear", "cosine"] = "linear"
    decay_fraction: float = Field(default=0.4, gt=0.0, le=1.0)
    final_factor: float = Field(default=0.01, ge=0.0, le=1.0)

    def factor(self, step: int, steps: int) -> float:
        """The learning rate of a step, from 0 on, of a run of `steps`, as a factor of the highest."""
        first = max((1.0 - self.decay_fraction) * steps, self.warmup_steps)
        rise = min((step + 1) / max(self.warmup_steps, 1), 1.0)
        return rise * decay_factor((step - first) / max(steps - first, 1.0), self.decay, self.final_factor)


def decay_factor(progress: float, decay: str, final_factor: float) -> float:
    """A decaying learning rate as a factor of the highest.

    Args:
        progress: share of the decay that is done; it is held before 0 and after 1.
        decay: see `ScheduleConfig`.
        final_factor: see `ScheduleConfig`.
    """
    progress = min(max(progress, 0.0), 1.0)
    left = 1.0 - progress if decay == "linear" else 0.5 + 0.5 * math.cos(math.pi * progress)
    return max(left, final_factor)


class OptimizerConfig(ScheduleConfig):
    """How weights move.

    Attributes:
        learning_rate: highest learning rate of AdamW.
        weight_decay: of AdamW, for matrices.
        grad_clip: largest norm of the gradient.
        ema_decay: decay of the moving average of weights that is shipped.
    """

    learning_rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)
    grad_clip: float = Field(default=1.0, gt=0.0)
    ema_decay: float = Field(default=0.998, ge=0.0, lt=1.0)


def adamw(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.98),
) -> torch.optim.AdamW:
    """AdamW in one fused call; biases and scales do not decay."""
    trained = list(parameters)
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)


def lightning_optimizer(
    parameters: Iterable[nn.Parameter], config: OptimizerConfig, steps: int
) -> "OptimizerLRScheduler":
    """AdamW and its schedule, as Lightning takes them."""
    optimizer = adamw(parameters, config.learning_rate, config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: config.factor(step, steps))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def ema_weight(decay: float, step: int) -> float:
    """The weight of new weights in their moving average after step `step`; the first steps are soon forgotten."""
    return 1.0 - min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Moves the average towards the network after step `step`; frozen weights are left alone to the bit."""
    weight = ema_weight(decay, step)
    for mean, new in zip(average.state_dict().values(), network.state_dict(keep_vars=True).values(), strict=True):
        if isinstance(new, nn.Parameter) and not new.requires_grad:
            continue
        mean.lerp_(new, weight) if mean.is_floating_point() else mean.copy_(new)
