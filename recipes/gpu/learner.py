"""A decoder that learns: its optimiser, its learning rate by the clock, and the average of its weights."""

import copy
import math
import time

import torch
from torch import Tensor, nn

from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.training.optimization import adamw
from recipes.gpu.config import GpuTrainingConfig


class Clock:
    """The share of a run's time that has gone.

    Args:
        seconds: length of the run.
        begun: when it began, by the monotonic clock.
    """

    def __init__(self, seconds: float, begun: float):
        self.seconds, self.begun = seconds, begun

    @property
    def gone(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    @property
    def progress(self) -> float:
        """From 0 to 1 and beyond."""
        return self.gone / self.seconds


class Learner:
    """A decoder with its optimiser and the average of its weights.

    Args:
        decoder: learns.
        config: the run.
        learning_rate: highest rate.
    """

    def __init__(self, decoder: FlowDecoder, config: GpuTrainingConfig, learning_rate: float):
        self.decoder, self.config, self.learning_rate = decoder, config, learning_rate
        self.average = copy.deepcopy(decoder).requires_grad_(False).eval()
        self.weights = [p for p in decoder.parameters() if p.requires_grad]
        self._averaged = [p.detach() for p in self.average.parameters()]
        self._optimiser = adamw(self.weights, learning_rate, config.weight_decay)
        self.step = 0

    def learn(self, loss: Tensor, progress: float) -> None:
        """Takes a step down the loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.learning_rate * self._rate(progress)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, self.config.clip, foreach=True)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self._averaged, [p.detach() for p in self.weights], 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]
        self.step += 1

    def _rate(self, progress: float) -> float:
        rising = min(1.0, (self.step + 1) / max(self.config.warmup_steps, 1))
        falling = min(1.0, max(0.0, progress - self.config.held) / (1.0 - self.config.held))
        return rising * (0.005 + 0.995 * 0.5 * (1.0 + math.cos(math.pi * falling)))
