"""A decoder that learns: its optimizer, its learning rate by the clock, and the average of its weights."""

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.decoders.regression import RegressionDecoder
from makesomenoise.training.optimization import adamw, decay_factor, ema_weight
from recipes.gpu.config import GpuTrainingConfig

_FINAL_FACTOR = 0.005

TrainedDecoder = FlowDecoder | RegressionDecoder


class Clock:
    """The share of a run's time, or of a part of it, that has gone.

    Args:
        seconds: length.
        begun: when it began.
        now: tells the time, s.
    """

    def __init__(self, seconds: float, begun: float, now: Callable[[], float] = time.monotonic):
        self.seconds, self.begun, self._now = seconds, begun, now

    @property
    def gone(self) -> float:
        """Seconds since it began."""
        return self._now() - self.begun

    @property
    def progress(self) -> float:
        """From 0 to 1 and beyond; of a length that is over before it begins, 1."""
        return self.gone / self.seconds if self.seconds > 0.0 else 1.0

    def rest(self, share: float) -> "Clock":
        """From now until a share of this time has gone."""
        gone = self.gone
        return Clock(share * self.seconds - gone, self.begun + gone, self._now)


class Learner:
    """A decoder with its optimizer and the average of its weights.

    Args:
        decoder: learns.
        config: the run.
        learning_rate: highest rate.
        ema_decay: decay of the average.
    """

    def __init__(self, decoder: TrainedDecoder, config: GpuTrainingConfig, learning_rate: float, ema_decay: float):
        self.decoder, self.config, self.learning_rate, self.ema_decay = decoder, config, learning_rate, ema_decay
        self.average = copy.deepcopy(decoder).requires_grad_(False).eval()
        self.weights = [p for p in decoder.parameters() if p.requires_grad]
        self._averaged = [p.detach() for p in self.average.parameters()]
        self._optimizer = adamw(self.weights, learning_rate, config.weight_decay)
        self.step = 0

    def learn(self, loss: Tensor, progress: float) -> None:
        """Takes a step down the loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate * self._rate(progress)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, self.config.grad_clip, foreach=True)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        weight = ema_weight(self.ema_decay, self.step)
        torch._foreach_lerp_(self._averaged, [p.detach() for p in self.weights], weight)  # pyright: ignore[reportPrivateImportUsage]
        self.step += 1

    def _rate(self, progress: float) -> float:
        rising = min(1.0, (self.step + 1) / max(self.config.warmup_steps, 1))
        first = 1.0 - self.config.decay_fraction
        return rising * decay_factor((progress - first) / self.config.decay_fraction, "cosine", _FINAL_FACTOR)
