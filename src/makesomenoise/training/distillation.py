"""Distillation of the flow decoder: the many small steps of quality `best` teach the few jumps of quality `fast`.

The teacher is the model that a run starts from. On codes of real sound it goes from noise to mel in small guided steps.
Two points x_i and x_j of that way, i < j, give the average velocity (x_j - x_i) / (t_j - t_i) over [t_i, t_j] (Geng et
al. 2025, Mean Flows, eq. 3), guidance included, which the student learns to give in one pass. The teacher's way is the
same however often it is looked at, so it is kept for a while and other pairs of its points are drawn from it.

What is drawn in a step depends on the seed and on the number of the step alone: a resumed run computes again what it
had kept, and goes on exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from makesomenoise.config import Config
from makesomenoise.flow.ode import integrate, integrate_multistep, time_grid
from makesomenoise.tokenizer.decoders.base import weighted_mean
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.auxiliary_losses import frame_weights

Generators = Callable[[int], torch.Generator]

_FIRST_GROUP = 2 * 10**9  # numbers of generators: steps and validations lie below


class DistillConfig(Config):
    """How a flow decoder learns to jump.

    Attributes:
        steps: guided steps of the teacher, two passes each.
        time_shift: below 1, they crowd towards the data.
        keep_every: of every so many points of the teacher's way one is kept; a divisor of `steps`.
        guidance: lowest and highest scale of the teacher's guidance, which the student is told.
        rescale: see `FlowConfig`.
        jumps: share of the pairs by the number of kept points that they span; such pairs start at multiples of it, as
            the steps of a sampler do. Without any, all pairs are drawn alike.
        batch_size: pairs of a step; `run.batch_size` is the number of real examples beside them.
        reuse: how often a way of the teacher is drawn, a divisor of `batch_size`.
        pool: number of ways that are kept and drawn from.
        flow_share: weight of plain flow matching on real examples, which keeps quality `best` in the same weights.
    """

    steps: int = Field(default=12, ge=1)
    time_shift: float = Field(default=0.5, gt=0.0)
    keep_every: int = Field(default=1, ge=1)
    guidance: tuple[float, float] = (2.0, 2.0)
    rescale: float = Field(default=0.7, ge=0.0, le=1.0)
    jumps: dict[int, float] = Field(default_factory=dict)
    batch_size: int = Field(default=16, ge=1)
    reuse: int = Field(default=8, ge=1)
    pool: int = Field(default=64, ge=1)
    flow_share: float = Field(default=0.2, ge=0.0, lt=1.0)

    @property
    def spans(self) -> int:
        """Number of stretches between kept points."""
        return self.steps // self.keep_every

    @property
    def group(self) -> int:
        """Number of ways that the teacher goes in a step."""
        return self.batch_size // self.reuse

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.steps % self.keep_every:
            raise ValueError("keep_every must be a divisor of steps")
        if self.batch_size % self.reuse:
            raise ValueError("reuse must be a divisor of batch_size")
        if self.pool < self.batch_size or self.pool % self.group:
            raise ValueError("pool must be at least batch_size, and a multiple of batch_size / reuse")
        if not all(1 <= jump <= self.spans and share > 0.0 for jump, share in self.jumps.items()):
            raise ValueError("jumps must span 1 to steps / keep_every points, each with a share above 0")
        return self


@dataclass(frozen=True)
class Ways:
    """Ways of the teacher from noise to mel.

    Attributes:
        latents: [B, D, N] of the codes that were rendered.
        points: [B, P + 1, 4N, M] 16-bit, standardised frames at the kept times.
        guidance: [B] scale of the guidance.
        weight: [B, 4N] of the frames in the loss.
    """

    latents: Tensor
    points: Tensor
    guidance: Tensor
    weight: Tensor

    def row(self, number: int) -> "Ways":
        """One of them."""
        one = slice(number, number + 1)
        return Ways(self.latents[one], self.points[one], self.guidance[one], self.weight[one])

    @classmethod
    def joined(cls, parts: Sequence["Ways"]) -> "Ways":
        """All of several."""
        with torch.autocast(parts[0].points.device.type, enabled=False):  # which joins no 16-bit numbers on a CPU
            return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Pairs:
    """Which points of ways are jumped between.

    Attributes:
        first: [B] number of the point where a jump starts.
        last: [B] number of the point where it ends, above `first`.
    """

    first: Tensor
    last: Tensor


def draw_pairs(config: DistillConfig, count: int, generator: torch.Generator) -> Pairs:
    """Draws `count` pairs of points as `config.jumps` says."""
    device = generator.device
    if not config.jumps:
        a = torch.randint(config.spans + 1, (count,), generator=generator, device=device)
        b = torch.randint(config.spans, (count,), generator=generator, device=device)
        b = b + (b >= a).long()  # uniform over the points that are not a
        return Pairs(torch.minimum(a, b), torch.maximum(a, b))
    lengths, shares = (torch.tensor(list(of), device=device) for of in (config.jumps.keys(), config.jumps.values()))
    length = lengths[torch.multinomial(shares, count, replacement=True, generator=generator)]
    places = config.spans // length
    first = (torch.rand(count, generator=generator, device=device) * places).long().clamp_max(places - 1) * length
    return Pairs(first, first + length)


def jump_loss(student: FlowDecoder, ways: Ways, pairs: Pairs, times: Tensor) -> Tensor:
    """Mean squared error of the average velocity over one jump on each way, a scalar.

    Args:
        student: learns.
        ways: what the teacher did.
        pairs: the jumps, one on each way.
        times: [P + 1] of the kept points.
    """
    rows = torch.arange(len(ways.points), device=ways.points.device)
    start, end = (ways.points[rows, number].float() for number in (pairs.first, pairs.last))
    t = times[pairs.first]
    span = times[pairs.last] - t
    velocity = student.average_velocity(start, student.condition(ways.latents), t, span, ways.guidance)
    return weighted_mean((velocity - (end - start) / span[:, None, None]).square(), ways.weight)


def teacher_of(decoder: FlowDecoder, config: DistillConfig) -> FlowDecoder:
    """Makes a trained decoder the teacher, in place: it is frozen, and guided as the distillation says."""
    decoder.config = decoder.config.model_copy(update={"rescale": config.rescale})
    return decoder.requires_grad_(False).eval()


def kept_times(config: DistillConfig, device: torch.device) -> Tensor:
    """Times [P + 1] of the points that are kept."""
    return torch.from_numpy(time_grid(config.steps, config.time_shift))[:: config.keep_every].to(device)


@torch.no_grad()
def walk(
    teacher: FlowDecoder, latents: Tensor, weight: Tensor, config: DistillConfig, generator: torch.Generator
) -> Ways:
    """Lets the teacher go from noise to mel.

    Args:
        teacher: what `teacher_of` gave.
        latents: [B, D, N] of real codes.
        weight: [B, 4N] of the frames in the loss.
        config: settings.
        generator: source of the noise and of the guidance, which is the same for all B.
    """
    device, (low, high) = latents.device, config.guidance
    shape = (*weight.shape, teacher.mean.numel())
    noise = torch.randn(shape, generator=generator, device=device)
    # One of several scales is a number of the device, which would be waited for.
    guidance = low if low == high else low + (high - low) * float(torch.rand((), generator=generator, device=device))
    times = torch.from_numpy(time_grid(config.steps, config.time_shift)).to(device)
    points = integrate_multistep(teacher.guided_velocity(latents, guidance), noise, times)[:: config.keep_every]
    return Ways(latents, torch.stack(points, dim=1).half(), noise.new_full((len(noise),), guidance), weight)


class Distillation:
    """The teacher and the ways that are kept of it. No module: the teacher is neither trained nor part of checkpoints.

    Args:
        config: settings.
        teacher: tokenizer whose flow decoder teaches; kept and changed.
        examples: crops whose codes are rendered, as `data.clips.Crops` gives them.
    """

    def __init__(self, config: DistillConfig, teacher: TokenizerNetwork, examples: Dataset[dict[str, Tensor]]):
        self.config, self._examples = config, examples
        self._rank, self._world = 0, 1
        self._network = teacher.requires_grad_(False).eval()
        assert isinstance(teacher.decoder, FlowDecoder)  # TokenizerTrainingConfig sees to it
        self._teacher = teacher_of(teacher.decoder, config)
        self._groups: dict[int, Ways] = {}

    def share(self, rank: int, world: int) -> None:
        """Takes examples for device `rank` of `world`, before the first step."""
        self._rank, self._world = rank, world

    def loss(self, student: FlowDecoder, step: int, generators: Generators) -> Tensor:
        """The loss of a step, a scalar.

        Args:
            student: learns.
            step: number of the step.
            generators: from numbers to generators of randomness.
        """
        groups, generator = self._pool(step, generators), generators(step)
        drawn = torch.randperm(self.config.pool, generator=generator, device=generator.device)[: self.config.batch_size]
        ways = Ways.joined([groups[n // self.config.group].row(n % self.config.group) for n in drawn.tolist()])
        pairs = draw_pairs(self.config, self.config.batch_size, generator)
        return jump_loss(student, ways, pairs, kept_times(self.config, generator.device))

    def distance(self, student: FlowDecoder, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
        """Mean squared distance of the student's and the teacher's last points from the same noise, a scalar.

        Args:
            student: jumps as often as its configuration says.
            batch: examples of the sound to render.
            generator: source of the noise.
        """
        ways = self._gone(batch, generator)
        noise, wanted = ways.points[:, 0].float(), ways.points[:, -1].float()
        times = torch.from_numpy(time_grid(student.config.steps, student.config.time_shift)).to(noise.device)
        found = integrate(student.flow_map(ways.latents, float(ways.guidance[0])), noise, times)
        return weighted_mean((found - wanted).square(), ways.weight)

    def _pool(self, step: int, generators: Generators) -> list[Ways]:
        """The groups of ways of a step: those of the step before but the oldest group, and one group more."""
        config = self.config
        wanted = range(step, step + config.pool // config.group)
        self._groups = {number: ways for number, ways in self._groups.items() if number in wanted}
        for number in wanted:
            if number not in self._groups:
                self._groups[number] = self._gone(self._batch(number), generators(_FIRST_GROUP + number))
        return [self._groups[number] for number in wanted]

    def _batch(self, number: int) -> dict[str, Tensor]:
        first = number * self.config.group
        rows = range(first * self._world + self._rank, (first + self.config.group) * self._world, self._world)
        return default_collate([self._examples[row] for row in rows])

    def _gone(self, batch: dict[str, Tensor], generator: torch.Generator) -> Ways:
        device = generator.device
        latents = self._network.to(device).forward_frozen(batch["waveform"].to(device)).quantized.latents
        return walk(self._teacher, latents, frame_weights(batch["sounding"].to(device)), self.config, generator)
