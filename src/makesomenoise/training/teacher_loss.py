"""The loss that asks a branch, or codes, for what a teacher hears; the layer that answers is not shipped.

Codes learn kinds of sound that no label names, and clips without a label teach too. Neither decoder nor vocoder learns
from it; the teacher has a part in what codes carry all the same, so its ear no longer judges alone: model folders name
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from makesomenoise import config
from makesomenoise.config import Config
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.data.teaching import Teacher
from makesomenoise.engine.ears import Ear
from makesomenoise.nn.across import mean_across

_EXAMPLES = 64
_LEAST_DEVIATION = 0.05
_LEAST_SHARE = 1e-5


class TeacherLossConfig(Config):
    """The loss that asks for what a teacher hears.

    Attributes:
        ear: the teacher, an embedding network as `Ear.open` takes it; none: there is no such loss.
        cache: folder that keeps what it hears in clips.
        weight: weight of its embedding, of which the mean squared error is asked, in units of its variance.
        score_weight: weight of its classes, of which the cross-entropy is asked, nats a place summed over the classes.
        window: number of places that are judged together.
    """

    ear: str | None = None
    cache: str | None = None
    weight: float = Field(default=1.0, ge=0.0)
    score_weight: float = Field(default=0.1, ge=0.0)
    window: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ear is not None and self.cache is None:
            raise ValueError("a teacher listens once and needs a folder for its answers: name it in cache")
        return self

    def open(self, clips: Sequence[Clip], sample_rate: int) -> Teacher | None:
        """The teacher of clips, after it has listened to all of them; none where no ear is named.

        Raises:
            EarError: if it cannot be used.
        """
        if self.ear is None or self.cache is None:
            return None
        teacher = Teacher(Ear.open(self.ear), ClipStore(clips, sample_rate), self.cache)
        teacher.listen()
        return teacher


@dataclass(frozen=True, slots=True)
class FirstAnswers:
    """What a teacher says of some places, by which a head begins.

    Attributes:
        teacher: who it is.
        values: [n, E + K] embeddings and probabilities.
        embedding: E.
    """

    teacher: config.Teacher
    values: Tensor
    embedding: int

    @classmethod
    def of(cls, teacher: Teacher, examples: Dataset[dict[str, Tensor]]) -> Self:
        """Those of the first examples of a training."""
        values = torch.cat([examples[number]["taught"] for number in range(_EXAMPLES)])
        return cls(teacher.record, values[values[:, 0].isfinite()], teacher.embedding)


class TeacherHead(nn.Module):
    """Guesses what a teacher hears.

    Args:
        config: settings.
        dim: channels D of what it reads.
        first: answers by which the embedding is standardised, and from which the guess of the classes begins.
        hidden: channels of an inner layer; none: what it reads must tell in straight lines.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: TeacherLossConfig, dim: int, first: FirstAnswers, hidden: int | None = None):
        super().__init__()
        self.config, self._embedding = config, first.embedding
        embeddings, scores = _compressed(first.values[:, : self._embedding]), first.values[:, self._embedding :]
        self.register_buffer("mean", embeddings.mean(0))
        self.register_buffer("deviation", embeddings.std(0) + _LEAST_DEVIATION)
        self.inner = nn.Sequential(nn.Conv1d(dim, hidden, 1), nn.GELU()) if hidden else nn.Identity()
        self.last = nn.Linear(hidden or dim, first.values.shape[1])
        with torch.no_grad():
            self.last.bias[self._embedding :] = scores.mean(0).clamp(_LEAST_SHARE, 1 - _LEAST_SHARE).logit()

    def loss(self, x: Tensor, taught: Tensor) -> Tensor:
        """The weighted loss of what [B, D, N] tells about answers [B, N, E + K], a scalar; NaN is not asked."""
        window, embedding = min(self.config.window, x.shape[-1]), self._embedding
        # The mean of guesses is the guess of the mean, since the last layer is linear, at a fraction of the cost.
        guess = self.last(_pooled(self.inner(x), window)).float()
        answer = _pooled(taught.transpose(1, 2), window)
        known = answer[..., :1].isfinite()
        answer = torch.where(known, answer, 0.0)
        target = (_compressed(answer[..., :embedding]) - self.mean) / self.deviation
        distance = (guess[..., :embedding] - target).square().mean(-1, keepdim=True)
        scores, likely = guess[..., embedding:], answer[..., embedding:]
        wrong = F.binary_cross_entropy_with_logits(scores, likely, reduction="none").sum(-1, keepdim=True)
        total = (known * (self.config.weight * distance + self.config.score_weight * wrong)).sum()
        return total / mean_across(known.sum().float()).clamp_min(1.0)


def _pooled(x: Tensor, window: int) -> Tensor:
    """Means [B, W, C] of windows of what is [B, C, N]."""
    return F.avg_pool1d(x, window).transpose(1, 2)


def _compressed(x: Tensor) -> Tensor:
    """Embeddings after a rectifier are mostly 0; their rare large values would be most of a squared error."""
    return x.sign() * x.abs().sqrt()
