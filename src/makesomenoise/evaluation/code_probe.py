"""What the codes know: a small network that names the sound from the sequence of codes alone.

Codes are bare numbers here: their embeddings start at random and learn from the training clips, so nothing of the
tokenizer but its choice of codes is measured. The recipe is chosen by cross-validation inside the training folds; the
test fold is looked at by the chosen one alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from makesomenoise.config import Config
from makesomenoise.metrics import accuracy

_BATCH = 64


class Recipe(Config):
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
RECIPES = (
    Recipe(name="bag of codes"),
    Recipe(name="bag of codes, half of them hidden", mask=0.5, dropout=0.5, epochs=40),
    Recipe(name="convolution over codes", width=32, layers=1, epochs=20),
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

    def where(self, chosen: np.ndarray) -> "LabelledCodes":
        """The clips marked in `chosen` [clips]."""
        numbers = np.flatnonzero(chosen).tolist()
        return LabelledCodes([self.codes[i] for i in numbers], self.classes[numbers], [self.folds[i] for i in numbers])


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found.

    Attributes:
        accuracies: on the test clips, one for each seed.
        recipe: the chosen way to train.
        inner_accuracies: cross-validated accuracy of each recipe inside the training folds, by name.
    """

    accuracies: tuple[float, ...]
    recipe: str
    inner_accuracies: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean accuracy over seeds."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds."""
        return float(np.std(self.accuracies))


def probe_codes(
    train: LabelledCodes, test: LabelledCodes, codebook_size: int, recipes: Sequence[Recipe] = RECIPES, seeds: int = 5
) -> ProbeResult:
    """Trains probes on code sequences and tests them on clips they have not seen.

    Args:
        train: clips to learn from, in at least two folds.
        test: clips to name; they take no part in the choice of the recipe.
        codebook_size: K.
        recipes: what to choose from, by leaving out one fold of `train` at a time.
        seeds: number of probes trained with the chosen recipe on all of `train`.
    """
    inner = {recipe.name: _cross_validated(train, codebook_size, recipe) for recipe in recipes}
    best = max(recipes, key=lambda recipe: inner[recipe.name])
    scores = [_trained(train, codebook_size, best, seed)(test.codes) for seed in range(seeds)]
    return ProbeResult(tuple(accuracy(score, test.classes) for score in scores), best.name, inner)


def _cross_validated(data: LabelledCodes, codebook_size: int, recipe: Recipe) -> float:
    folds = np.array(data.folds)
    accuracies = []
    for fold in sorted(set(data.folds)):
        held = data.where(folds == fold)
        probe = _trained(data.where(folds != fold), codebook_size, recipe, seed=0)
        accuracies.append(accuracy(probe(held.codes), held.classes))
    return float(np.mean(accuracies))


class Probe(nn.Module):
    """Class scores from code sequences; the number K stands for a hidden or missing code."""

    def __init__(self, codebook_size: int, classes: int, recipe: Recipe):
        super().__init__()
        self.hidden = codebook_size
        self.pool = _Sequence(codebook_size, recipe) if recipe.layers else _Bag(codebook_size, recipe)
        self.head = nn.Sequential(
            nn.LayerNorm(recipe.width), nn.Dropout(recipe.dropout), nn.Linear(recipe.width, classes)
        )

    def forward(self, codes: Sequence[Tensor]) -> Tensor:
        """Scores [B, classes] of sequences [N] of any lengths."""
        return self.scores(nn.utils.rnn.pad_sequence(list(codes), batch_first=True, padding_value=self.hidden))

    def scores(self, codes: Tensor) -> Tensor:
        """Scores [B, classes] of a batch [B, N] whose gaps hold K."""
        return self.head(self.pool(codes))


class _Bag(nn.Module):
    """Which codes occur and how often: [B, N] to [B, width]."""

    def __init__(self, codebook_size: int, recipe: Recipe):
        super().__init__()
        self.codebook_size = codebook_size
        self.mix = nn.Linear(codebook_size, recipe.width)

    def forward(self, codes: Tensor) -> Tensor:
        counts = torch.zeros(len(codes), self.codebook_size + 1).scatter_add_(1, codes, torch.ones(codes.shape))[:, :-1]
        # The root of the shares (Hellinger) keeps long silences from drowning a code that sounds twice.
        return self.mix((counts / counts.sum(1, keepdim=True).clamp_min(1)).sqrt())


class _Sequence(nn.Module):
    """Codes in their order: embedding, convolutions over time, mean and maximum, [B, N] to [B, width]."""

    def __init__(self, codebook_size: int, recipe: Recipe):
        super().__init__()
        self.hidden = codebook_size
        self.embedding = nn.Embedding(codebook_size + 1, recipe.width, padding_idx=codebook_size)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(recipe.width, recipe.width, 5, padding=2) for _ in range(recipe.layers)
        )
        self.join = nn.Linear(2 * recipe.width, recipe.width)

    def forward(self, codes: Tensor) -> Tensor:
        heard = (codes != self.hidden)[:, None]
        maps = self.embedding(codes).transpose(1, 2)
        for convolution in self.convolutions:
            maps = maps + nn.functional.gelu(convolution(maps))
        mean = (maps * heard).sum(-1) / heard.sum(-1).clamp_min(1)
        peak = maps.masked_fill(~heard, -1e4).amax(-1).clamp_min(-10.0)
        return self.join(torch.cat([mean, peak], dim=1))


def _trained(data: LabelledCodes, codebook_size: int, recipe: Recipe, seed: int) -> Probe:
    generator = torch.Generator().manual_seed(seed)
    classes = int(data.classes.max()) + 1
    # Initial weights and dropout can only draw from the global generator: it is borrowed and put back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = Probe(codebook_size, classes, recipe).train()
        codes = nn.utils.rnn.pad_sequence(list(data.codes), batch_first=True, padding_value=codebook_size)
        targets = nn.functional.one_hot(data.classes, classes).float()
        optimizer = torch.optim.AdamW(probe.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = recipe.epochs * -(-len(codes) // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, steps)
        for _ in range(recipe.epochs):
            for chosen in torch.randperm(len(codes), generator=generator).split(_BATCH):
                batch, wanted = _augmented(codes[chosen], targets[chosen], recipe, codebook_size, generator)
                loss = nn.functional.cross_entropy(probe.scores(batch), wanted, label_smoothing=0.1)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
    return probe.eval().requires_grad_(False)


def _augmented(
    codes: Tensor, targets: Tensor, recipe: Recipe, hidden: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Exchanges spans with another clip of the batch, then hides single codes."""
    share = torch.rand(len(codes), 1, generator=generator)
    share = torch.where(torch.rand(len(codes), 1, generator=generator) < recipe.mix, 0.5 * share, torch.zeros(()))
    partner = torch.randperm(len(codes), generator=generator)
    places = torch.linspace(0, 1, codes.shape[1])[None]
    start = torch.rand(len(codes), 1, generator=generator)
    taken = ((places - start) % 1.0) < share
    codes = torch.where(taken, codes[partner], codes)
    dropped = torch.rand(codes.shape, generator=generator) < recipe.mask
    return codes.masked_fill(dropped, hidden), (1 - share) * targets + share * targets[partner]
