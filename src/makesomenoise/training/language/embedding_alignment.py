"""The first stage of a language model's training: rows of the codes alone, before any layer of the LLM moves.

The mean row over a clip is to point where the mean embedding of its label's words points, so that the LLM reads sound
as if it were words. It takes seconds to minutes, since the LLM itself is not run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from makesomenoise.config import Config
from makesomenoise.errors import DataError


class EmbeddingAlignmentError(DataError):
    """Codes and labels that rows cannot be aligned with; the message is one sentence for the user."""


class EmbeddingAlignmentConfig(Config):
    """How rows are aligned.

    Attributes:
        steps: training steps; 0 leaves the rows as they are.
        batch_size: clips a step.
        learning_rate: highest rate of AdamW, relative to the size of a row's entries; it falls to 0 along a cosine.
        weight_decay: pull of the rows towards where they started, a share of the learning rate.
        temperature: cosines are divided by it before the softmax over labels.
        dropout: share of the codes of a clip that are hidden.
        shortest: shortest random crop, as a share of the clip.
        smoothing: share of the target that is spread over all labels.
    """

    steps: int = Field(default=1500, ge=0)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=0.03, gt=0.0)
    weight_decay: float = Field(default=0.0, ge=0.0)
    temperature: float = Field(default=0.05, gt=0.0)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    shortest: float = Field(default=0.4, gt=0.0, le=1.0)
    smoothing: float = Field(default=0.1, ge=0.0, lt=1.0)


@dataclass(frozen=True)
class NamedCodes:
    """Clips whose labels are known.

    Attributes:
        codes: one [N] a clip, integers in [0, K).
        labels: [clips] numbers of labels.
    """

    codes: Sequence[Tensor]
    labels: Tensor


def align(
    rows: Tensor, label_rows: Tensor, clips: NamedCodes, config: EmbeddingAlignmentConfig, generator: torch.Generator
) -> Tensor:
    """Moves the rows of codes so that clips point at their labels.

    Args:
        rows: [K, H] to start from, such as those of `initial_rows`; unchanged.
        label_rows: [labels, H] the mean embedding of the words of each label.
        clips: what to learn from.
        config: how.
        generator: source of randomness.

    Returns:
        [K, H] with the mean and the overall deviation of `rows`, so that they stay of the size of words.

    Raises:
        EmbeddingAlignmentError: if there are no clips, a clip is empty, or a label or a code has no row.
    """
    _check(rows, label_rows, clips)
    rows, centre = rows.detach().float(), rows.detach().float().mean(0)
    scale = (rows - centre).square().mean().sqrt()
    start = (rows - centre) / scale
    targets = _directions(label_rows)
    moved = start.clone().requires_grad_()
    optimizer = torch.optim.AdamW([moved], lr=config.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(config.steps, 1))
    for _ in range(config.steps):
        picks = torch.randint(len(clips.codes), (config.batch_size,), generator=generator)
        heard = _histograms([_varied(clips.codes[int(n)], config, generator) for n in picks], len(rows)) @ moved
        scores = F.normalize(heard, dim=-1) @ targets.T / config.temperature
        loss = F.cross_entropy(scores, clips.labels[picks], label_smoothing=config.smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            moved.lerp_(start, config.weight_decay * schedule.get_last_lr()[0])
        schedule.step()
    return _sized(moved.detach(), centre, scale)


def accuracy(rows: Tensor, label_rows: Tensor, clips: NamedCodes) -> float:
    """How often the mean row over a clip points at its label rather than at another, in [0, 1].

    Args:
        rows: [K, H].
        label_rows: see `align`.
        clips: what to judge on.

    Raises:
        EmbeddingAlignmentError: see `align`.
    """
    _check(rows, label_rows, clips)
    heard = _histograms(clips.codes, len(rows)) @ (rows.float() - rows.float().mean(0))
    found = (F.normalize(heard, dim=-1) @ _directions(label_rows).T).argmax(1)
    return float((found == clips.labels).float().mean())


def label_rows(text_rows: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
    """Mean embedding of the words of each label.

    Args:
        text_rows: [V, H] of the base.
        words: tokens of each label.

    Returns:
        [labels, H].

    Raises:
        EmbeddingAlignmentError: if a label has no words.
    """
    for number, tokens in enumerate(words):
        if not tokens:
            raise EmbeddingAlignmentError(f"Label {number} has no words: give each label a name.")
    return torch.stack([text_rows[list(tokens)].detach().float().mean(0) for tokens in words])


def _directions(label_rows: Tensor) -> Tensor:
    """Unit vectors [labels, H] from the mean of all labels to each: what they share tells none apart."""
    rows = label_rows.detach().float()
    return F.normalize(rows - rows.mean(0), dim=-1)


def _histograms(codes: Sequence[Tensor], size: int) -> Tensor:
    """Share [clips, K] of each code in each clip."""
    counts = torch.stack([torch.bincount(one, minlength=size) for one in codes]).float()
    return counts / counts.sum(1, keepdim=True)


def _varied(codes: Tensor, config: EmbeddingAlignmentConfig, generator: torch.Generator) -> Tensor:
    """A crop of a clip, without some of its codes."""
    share = config.shortest + (1.0 - config.shortest) * float(torch.rand((), generator=generator))
    length = max(round(share * len(codes)), 1)
    skip = int(torch.randint(len(codes) - length + 1, (), generator=generator))
    crop = codes[skip : skip + length]
    kept = crop[torch.rand(length, generator=generator) >= config.dropout]
    return kept if len(kept) else crop


def _sized(moved: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
    moved = moved - moved.mean(0)
    return centre + moved * (scale / moved.square().mean().sqrt().clamp_min(1e-8))


def _check(rows: Tensor, label_rows: Tensor, clips: NamedCodes) -> None:
    if not clips.codes or len(clips.codes) != len(clips.labels):
        raise EmbeddingAlignmentError(
            f"Expected a label for each of {len(clips.codes)} clips; got {len(clips.labels)}."
        )
    if any(not len(one) or int(one.min()) < 0 or int(one.max()) >= len(rows) for one in clips.codes):
        raise EmbeddingAlignmentError(f"A clip is empty or holds a code outside [0, {len(rows)}).")
    if int(clips.labels.min()) < 0 or int(clips.labels.max()) >= len(label_rows):
        raise EmbeddingAlignmentError(f"A label is outside [0, {len(label_rows)}).")
