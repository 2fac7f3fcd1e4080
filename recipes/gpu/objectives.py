"""What a decoder is asked for in a step: its own loss, or the average velocities of its teacher as well."""

import copy
from collections.abc import Iterator
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor

from makesomenoise.flow.ode import integrate, time_grid
from makesomenoise.flow.path import sample_path
from makesomenoise.tokenizer.decoders.base import weighted_mean
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.training.distillation import DistillConfig, Ways, draw_pairs, jump_loss, kept_times, teacher_of, walk
from recipes.gpu.batches import Batch
from recipes.gpu.learner import TrainedDecoder

_CHECKED_TIMES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_FIRST_BATCHES = 4  # batches of ways that the first steps draw from


class Objective(Protocol):
    """A loss of a decoder, and a few figures by which it is watched."""

    def loss(self, decoder: TrainedDecoder, batches: Iterator[Batch], generator: torch.Generator) -> Tensor:
        """The loss of a step, a scalar."""
        ...

    def check(self, decoder: TrainedDecoder, batch: Batch, generator: torch.Generator) -> list[float]:
        """Figures of a decoder on a batch that is always the same."""
        ...


class OwnLoss:
    """The decoder's own loss: flow matching, checked at six times of the path, or the distance of a regression."""

    def loss(self, decoder: TrainedDecoder, batches: Iterator[Batch], generator: torch.Generator) -> Tensor:
        """See `Objective`."""
        batch = next(batches)
        return decoder.reconstruct(batch.mel, batch.latents, generator, batch.weight).loss

    @torch.no_grad()
    def check(self, decoder: TrainedDecoder, batch: Batch, generator: torch.Generator) -> list[float]:
        """Mean squared error of the velocity at each of the times; of a regression its loss."""
        if not isinstance(decoder, FlowDecoder):
            return [float(decoder.reconstruct(batch.mel, batch.latents, generator, batch.weight).loss)]
        x_1, condition = decoder.standardise(batch.mel), decoder.condition(batch.latents)
        noise = torch.randn(x_1.shape, generator=generator, device=x_1.device)
        errors = []
        for time in _CHECKED_TIMES:
            t = x_1.new_full((len(x_1),), time)
            point = sample_path(noise, x_1, t)
            velocity = decoder.average_velocity(point.x_t, condition, t)
            errors.append(float(weighted_mean((velocity - point.dx_t).square(), batch.weight)))
        return errors


class Distilling:
    """Jumps between points of the teacher's ways, beside flow matching on a quarter as many real examples.

    The teacher goes `batch_size` ways at once, every `reuse` steps. They replace the oldest of the pool.

    Args:
        config: settings.
        decoder: what is trained: a copy of it teaches.
    """

    def __init__(self, config: DistillConfig, decoder: FlowDecoder):
        self.config = config
        self.teacher = teacher_of(copy.deepcopy(decoder), config)
        self._examiner = copy.deepcopy(self.teacher)  # walks other numbers of ways than what is compiled for
        self._real: list[Batch] = []
        self._pool: Ways | None = None
        self._filled = self._step = 0

    def loss(self, decoder: TrainedDecoder, batches: Iterator[Batch], generator: torch.Generator) -> Tensor:
        """See `Objective`."""
        assert isinstance(decoder, FlowDecoder)  # as the one that teaches it
        config, share = self.config, self.config.flow_share
        if self._step % config.reuse == 0 or self._filled < min(_FIRST_BATCHES * config.batch_size, config.pool):
            self._keep(self._walked(next(batches), generator))
        self._step += 1
        ways = self._drawn(generator)
        pairs = draw_pairs(config, config.batch_size, generator)
        loss = jump_loss(decoder, ways, pairs, kept_times(config, generator.device))
        if not share:
            return loss
        if not self._real:
            self._real = next(batches).split(max(1, config.batch_size // 4))
        real = self._real.pop()
        flow = decoder.reconstruct(real.mel, real.latents, generator, real.weight).loss
        return share * flow + (1.0 - share) * loss

    @torch.no_grad()
    def check(self, decoder: TrainedDecoder, batch: Batch, generator: torch.Generator) -> list[float]:
        """Mean squared distance from the teacher's last points in 1, 2, 4, 6 and 12 jumps."""
        assert isinstance(decoder, FlowDecoder)
        ways = walk(self._examiner, batch.latents, batch.weight, self.config, generator)
        noise, wanted = ways.points[:, 0].float(), ways.points[:, -1].float()
        velocity, distances = decoder.flow_map(ways.latents, float(ways.guidance[0])), []
        for steps in (1, 2, 4, 6, 12):
            found = integrate(
                velocity, noise, torch.from_numpy(time_grid(steps, decoder.config.time_shift)).to(noise.device)
            )
            distances.append(float(weighted_mean((found - wanted).square(), ways.weight)))
        return distances

    def _walked(self, batch: Batch, generator: torch.Generator) -> Ways:
        return walk(self.teacher, batch.latents, batch.weight, self.config, generator)

    def _keep(self, ways: Ways) -> None:
        """Writes ways over the oldest ones; their memory is taken once."""
        size, count = self.config.pool, len(ways.points)
        if self._pool is None:
            empty = {f.name: torch.empty_like(getattr(ways, f.name)[:1]) for f in fields(Ways)}
            self._pool = Ways(**{name: t.expand(size, *t.shape[1:]).clone() for name, t in empty.items()})
        rows = (torch.arange(count, device=ways.points.device) + self._filled) % size
        for field in fields(Ways):
            getattr(self._pool, field.name)[rows] = getattr(ways, field.name)
        self._filled += count

    def _drawn(self, generator: torch.Generator) -> Ways:
        assert self._pool is not None  # the first step keeps something
        filled = min(self._filled, self.config.pool)
        rows = torch.randint(filled, (self.config.batch_size,), generator=generator, device=generator.device)
        return Ways(**{field.name: getattr(self._pool, field.name)[rows] for field in fields(Ways)})
