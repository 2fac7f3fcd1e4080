"""What codes are asked in training, beside the decoder's own loss; the layers that answer are not shipped.

A flow decoder sees levels and outlines in the noisy mel itself at all but the earliest times, so its loss alone hardly
asks the codes for them (decoded envelopes were lost); nor does it ask what the sound is, nor how high it is, since a
contour of pitch is a small part of any distance. Small layers that see nothing but codes ask for each.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from makesomenoise.config import Config
from makesomenoise.data.clips import NO_LABEL
from makesomenoise.nn.across import mean_across
from makesomenoise.tokenizer.config import FRAMES_PER_CODE

_HIDDEN = 256
_SILENT_WEIGHT = 0.05
_REACH = 2  # codes on either side of a sound that count like it: a third of a second holds its onset and its decay


class LabelLossConfig(Config):
    """The loss that asks codes to name their sound.

    Each code casts its votes by itself; the votes of neighbouring codes are averaged before they are judged, so that
    codes share the work and none has to spend most of its ten bits on what all of them have in common.

    Attributes:
        weight: its weight; 0 is the pure method.
        window: number of codes that vote together.
        min_clips_per_label: labels of fewer training clips are left out.
        smoothing: share of the target that is spread over all labels.
    """

    weight: float = 0.0
    window: int = 16
    min_clips_per_label: int = 8
    smoothing: float = 0.1


class LabelHead(nn.Module):
    """Names the sound that codes lie in.

    Args:
        config: settings.
        dim: latent channels D.
        labels: number of labels.
    """

    def __init__(self, config: LabelLossConfig, dim: int, labels: int):
        super().__init__()
        self.config = config
        # It sees one position at a time: what it learns to read must be in the codes themselves.
        self.head = nn.Sequential(nn.Conv1d(dim, _HIDDEN, 1), nn.GELU(), nn.Conv1d(_HIDDEN, labels, 1))

    def forward(self, latents: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Lets latents [B, D, N], whose labels [B, N] are known, vote.

        Returns:
            Scores [B, labels, windows] and the label [B, windows] of each window, `NO_LABEL` where it is not one sound.
        """
        window = min(self.config.window, labels.shape[-1])
        # The mean of votes is the vote of the mean, since the last layer is linear, at a fraction of the cost.
        votes = self.head[-1](F.avg_pool1d(self.head[:-1](latents), window))
        parts = labels[:, : votes.shape[-1] * window].unflatten(-1, (-1, window))
        single = (parts == parts[..., :1]).all(-1)
        return votes, torch.where(single, parts[..., 0], NO_LABEL)

    def loss(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the votes, a scalar; 0 where nothing is known."""
        votes, names = self(latents, labels)
        known, settings = mean_across((names != NO_LABEL).sum().float()), {"ignore_index": NO_LABEL, "reduction": "sum"}
        total = F.cross_entropy(votes, names, label_smoothing=self.config.smoothing, **settings)
        return total / torch.where(known > 0, known, 1.0)

    def right(self, latents: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """How many windows are named right, and how many have a name."""
        votes, names = self(latents, labels)
        known = names != NO_LABEL
        return ((votes.argmax(1) == names) & known).sum(), known.sum()


class MelLossConfig(Config):
    """The loss that asks codes for the outline of their mel.

    Attributes:
        weight: its weight; 0 is the pure method.
    """

    weight: float = 0.0


class MelHead(nn.Module):
    """Guesses the frames of codes from each code and its two neighbours.

    Args:
        dim: latent channels D.
        n_mels: mel bands M.
    """

    def __init__(self, dim: int, n_mels: int):
        super().__init__()
        inner, outer = nn.Conv1d(dim, _HIDDEN, 3, padding=1), nn.Conv1d(_HIDDEN, n_mels * FRAMES_PER_CODE, 1)
        self.head = nn.Sequential(inner, nn.GELU(), outer)

    def loss(self, latents: Tensor, mel: Tensor) -> Tensor:
        """Mean absolute error of what latents [B, D, N] say about the normalised log-mel [B, M, 4N], a scalar."""
        return (_frames(self.head(latents), mel.shape[1]) - mel).abs().mean()


class SpectralPeakLossConfig(Config):
    """The loss that asks codes which bands stand out, and so for the contour of pitch and partials.

    Attributes:
        weight: its weight; 0 is the pure method.
    """

    weight: float = 0.0


class SpectralPeakHead(nn.Module):
    """Guesses the bands that stand out in the frames of codes, from each code and two neighbours on each side.

    Args:
        dim: latent channels D.
        n_mels: mel bands M.
    """

    def __init__(self, dim: int, n_mels: int):
        super().__init__()
        inner, middle = nn.Conv1d(dim, _HIDDEN, 3, padding=1), nn.Conv1d(_HIDDEN, _HIDDEN, 3, padding=1)
        outer = nn.Conv1d(_HIDDEN, n_mels * FRAMES_PER_CODE, 1)
        self.head = nn.Sequential(inner, nn.GELU(), middle, nn.GELU(), outer)

    def loss(self, latents: Tensor, shares: Tensor) -> Tensor:
        """Mean divergence of what latents [B, D, N] say from `peak_shares` [B, M, 4N], nats a frame, a scalar."""
        said = torch.log_softmax(_frames(self.head(latents), shares.shape[1]).float(), dim=1)
        return nn.functional.kl_div(said, shares, reduction="none").sum(1).mean()


def _frames(guess: Tensor, n_mels: int) -> Tensor:
    """What is said at each code [B, 4M, N] as frames [B, M, 4N]."""
    return guess.unflatten(1, (n_mels, FRAMES_PER_CODE)).transpose(2, 3).flatten(2)


def frame_weights(sounding: Tensor) -> Tensor:
    """Weights [B, 4N] of the frames of N codes.

    Args:
        sounding: [B, N] bool, whether any part of a clip lies in a code.
    """
    near = F.max_pool1d(sounding[:, None].float(), 2 * _REACH + 1, stride=1, padding=_REACH)[:, 0]
    return (_SILENT_WEIGHT + (1.0 - _SILENT_WEIGHT) * near).repeat_interleave(FRAMES_PER_CODE, dim=1)
