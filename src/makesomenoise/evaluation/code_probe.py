"""What the codes know: a small network that names the sound from the sequence of codes alone.

Codes are bare numbers here: their embeddings start at random and learn from the training clips, so nothing of the
tokenizer but its choice of codes is measured. How a probe is trained is chosen by cross-validation inside the training
folds; the test fold is looked at by the chosen one alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise.config import Config
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.cache import Measurement
from makesomenoise.metrics import accuracy
from makesomenoise.tokenizer.model import AudioTokenizer

if TYPE_CHECKING:
    from makesomenoise.data.codes import CodeClip  # needs the extra `data`

CODE_PROBE = Measurement("code probe", version="1")
MIN_FOLDS = 2  # to choose by cross-validation
_BATCH = 64


class ProbeConfig(Config):
    """One way to train a probe.

    Attributes:
        name: for the report.
        width: size of the embedding of a code.
        layers: convolutions over time before pooling; with none it is a bag of codes.
        dropout: share of pooled features dropped in training.
        mask: share of codes hidden in training.
        mix: share of a batch in which positions are exchanged for those of another clip, its label in proportion.
        epochs: passes over the training clips.
        learning_rate: highest rate of the one-cycle schedule.
        weight_decay: of AdamW.
    """

    name: str
    width: int = 128
    layers: int = 0
    dropout: float = 0.3
    mask: float = 0.2
    mix: float = 0.5
    epochs: int = 30
    learning_rate: float = 5e-3
    weight_decay: float = 0.1


# A convolution costs five times a bag of codes: with these, choosing and five seeds take about two minutes on one core.
CONFIGS = (
    ProbeConfig(name="bag of codes"),
    ProbeConfig(name="bag of codes, half of them hidden", mask=0.5, dropout=0.5, epochs=40),
    ProbeConfig(name="convolution over codes", width=32, layers=1, epochs=20),
)


@dataclass(frozen=True, slots=True)
class LabelledCodes:
    """Code sequences with what is known of them.

    Attributes:
        codes: a sequence [N] for each clip.
        classes: number of the class of each clip, [clips] int64.
        folds: name of the fold of each clip.
    """

    codes: Sequence[Tensor]
    classes: Tensor
    folds: Sequence[str]

    @classmethod
    def of(
        cls, codes: "Sequence[Tensor]", clips: "Sequence[Clip] | Sequence[CodeClip]", labels: Sequence[str]
    ) -> "LabelledCodes":
        """The codes of clips whose labels are among `labels`, which number the classes."""
        classes = torch.tensor([labels.index(clip.label) for clip in clips])
        return cls(codes, classes, [clip.fold for clip in clips])

    def where(self, chosen: np.ndarray) -> "LabelledCodes":
        """The clips marked in `chosen` [clips]."""
        numbers = np.flatnonzero(chosen).tolist()
        return LabelledCodes([self.codes[i] for i in numbers], self.classes[numbers], [self.folds[i] for i in numbers])


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found.

    Attributes:
        test_clips: how many clips it was tested on.
        accuracies: on the test clips, one for each seed.
        config: name of the chosen settings.
        inner_accuracies: cross-validated accuracy of each of the settings inside the training folds, by name.
    """

    test_clips: int
    accuracies: tuple[float, ...]
    config: str
    inner_accuracies: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean accuracy over seeds."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds."""
        return float(np.std(self.accuracies))

    def to_dict(self) -> dict:
        """All of it as JSON takes it."""
        return {"mean": self.mean, "deviation": self.deviation, **asdict(self)}


def encode_clips(tokenizer: AudioTokenizer, clips: Sequence[Clip], cache: Path | None = None) -> list[Tensor]:
    """Codes [N] of each clip.

    Args:
        tokenizer: encodes.
        clips: what is encoded.
        cache: folder that keeps decoded clips.
    """
    store = ClipStore(clips, tokenizer.sample_rate, cache)
    return [torch.from_numpy(tokenizer.encode(store.waveform(number)[None])[0]) for number in range(len(store))]


def probe_codes(
    train: LabelledCodes,
    test: LabelledCodes,
    codebook_size: int,
    configs: Sequence[ProbeConfig] = CONFIGS,
    seeds: int = 5,
) -> ProbeResult:
    """Trains probes on code sequences and tests them on clips they have not seen.

    Args:
        train: clips to learn from, in at least two folds.
        test: clips to name; they take no part in the choice of the config.
        codebook_size: K.
        configs: what to choose from, by leaving out one fold of `train` at a time.
        seeds: number of probes trained with the chosen config on all of `train`.
    """
    inner = {config.name: _cross_validate(train, codebook_size, config) for config in configs}
    best = max(configs, key=lambda config: inner[config.name])
    scores = [_train(train, codebook_size, best, seed)(test.codes) for seed in range(seeds)]
    accuracies = tuple(accuracy(score, test.classes) for score in scores)
    return ProbeResult(len(test.codes), accuracies, best.name, inner)


def _cross_validate(data: LabelledCodes, codebook_size: int, config: ProbeConfig) -> float:
    folds = np.array(data.folds)
    accuracies = []
    for fold in sorted(set(data.folds)):
        held = data.where(folds == fold)
        probe = _train(data.where(folds != fold), codebook_size, config, seed=0)
        accuracies.append(accuracy(probe(held.codes), held.classes))
    return float(np.mean(accuracies))


class Probe(nn.Module):
    """Class scores from code sequences; the number K stands for a hidden or missing code."""

    def __init__(self, codebook_size: int, classes: int, config: ProbeConfig):
        super().__init__()
        self.hidden = codebook_size
        self.pool = _Sequence(codebook_size, config) if config.layers else _Bag(codebook_size, config)
        self.head = nn.Sequential(
            nn.LayerNorm(config.width), nn.Dropout(config.dropout), nn.Linear(config.width, classes)
        )

    def forward(self, codes: Sequence[Tensor]) -> Tensor:
        """Scores [B, classes] of sequences [N] of any lengths."""
        return self.scores(nn.utils.rnn.pad_sequence(list(codes), batch_first=True, padding_value=self.hidden))

    def scores(self, codes: Tensor) -> Tensor:
        """Scores [B, classes] of a batch [B, N] whose gaps hold K."""
        return self.head(self.pool(codes))


class _Bag(nn.Module):
    """Which codes occur and how often: [B, N] to [B, width]."""

    def __init__(self, codebook_size: int, config: ProbeConfig):
        super().__init__()
        self.codebook_size = codebook_size
        self.mix = nn.Linear(codebook_size, config.width)

    def forward(self, codes: Tensor) -> Tensor:
        counts = torch.zeros(len(codes), self.codebook_size + 1).scatter_add_(1, codes, torch.ones(codes.shape))[:, :-1]
        # The root of the shares (Hellinger) keeps long silences from drowning a code that sounds twice.
        return self.mix((counts / counts.sum(1, keepdim=True).clamp_min(1)).sqrt())


class _Sequence(nn.Module):
    """Codes in their order: embedding, convolutions over time, mean and maximum, [B, N] to [B, width]."""

    def __init__(self, codebook_size: int, config: ProbeConfig):
        super().__init__()
        self.hidden = codebook_size
        self.embedding = nn.Embedding(codebook_size + 1, config.width, padding_idx=codebook_size)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 5, padding=2) for _ in range(config.layers)
        )
        self.join = nn.Linear(2 * config.width, config.width)

    def forward(self, codes: Tensor) -> Tensor:
        heard = (codes != self.hidden)[:, None]
        maps = self.embedding(codes).transpose(1, 2)
        for convolution in self.convolutions:
            maps = maps + nn.functional.gelu(convolution(maps))
        mean = (maps * heard).sum(-1) / heard.sum(-1).clamp_min(1)
        peak = maps.masked_fill(~heard, -1e4).amax(-1).clamp_min(-10.0)
        return self.join(torch.cat([mean, peak], dim=1))


def _train(data: LabelledCodes, codebook_size: int, config: ProbeConfig, seed: int) -> Probe:
    generator = torch.Generator().manual_seed(seed)
    classes = int(data.classes.max()) + 1
    # Initial weights and dropout can only draw from the global generator: it is borrowed and put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = Probe(codebook_size, classes, config).train()
        codes = nn.utils.rnn.pad_sequence(list(data.codes), batch_first=True, padding_value=codebook_size)
        targets = nn.functional.one_hot(data.classes, classes).float()
        optimizer = torch.optim.AdamW(probe.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        steps = config.epochs * -(-len(codes) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, steps)
        for _ in range(config.epochs):
            for chosen in torch.randperm(len(codes), generator=generator).split(_BATCH):
                batch, wanted = _augment(codes[chosen], targets[chosen], config, codebook_size, generator)
                loss = nn.functional.cross_entropy(probe.scores(batch), wanted, label_smoothing=0.1)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    return probe.eval().requires_grad_(False)


def _augment(
    codes: Tensor, targets: Tensor, config: ProbeConfig, hidden: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Exchanges spans with another clip of the batch, then hides single codes."""
    share = torch.rand(len(codes), 1, generator=generator)
    share = torch.where(torch.rand(len(codes), 1, generator=generator) < config.mix, 0.5 * share, torch.zeros(()))
    partner = torch.randperm(len(codes), generator=generator)
    places = torch.linspace(0, 1, codes.shape[1])[None]
    start = torch.rand(len(codes), 1, generator=generator)
    taken = ((places - start) % 1.0) < share
    codes = torch.where(taken, codes[partner], codes)
    dropped = torch.rand(codes.shape, generator=generator) < config.mask
    return codes.masked_fill(dropped, hidden), (1 - share) * targets + share * targets[partner]
