"""Pictures of an evaluation: what survives against bitrate, and spectrograms side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from makesomenoise.data.manifest import Clip
from makesomenoise.nn.log_mel import LogMel

_WANTED = ("dog", "rain", "siren", "piano", "clapping", "speech")
_DARKEST, _BRIGHTEST = -6.0, 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One system in the bar chart.

    Attributes:
        name: of the system.
        bits_per_second: None where nothing was coded.
        accuracies: by dataset, 0 to 1.
    """

    name: str
    bits_per_second: float | None
    accuracies: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the spectrogram panel: a waveform [S] for each row."""

    title: str
    waveforms: Sequence[Tensor]


def choose_panel(clips: Sequence[Clip]) -> dict[str, int]:
    """Numbers of a dog, rain, siren, piano, clapping and speech clip: the first of each in order of name."""
    order = sorted(range(len(clips)), key=lambda number: clips[number].key)
    found: dict[str, int] = {}
    for wanted in _WANTED:
        matches = (n for n in order if wanted == clips[n].label or (wanted == "speech" and clips[n].kind == "speech"))
        if (number := next(matches, None)) is not None:
            found[wanted] = number
    return found


def plot_survival(bars: Sequence[Bar], path: Path) -> None:
    """Draws the accuracy on each dataset, systems in order of bitrate, as a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and only pictures need it

    bars = sorted(bars, key=lambda bar: float("inf") if bar.bits_per_second is None else bar.bits_per_second)
    datasets = sorted({dataset for bar in bars for dataset in bar.accuracies})
    figure = Figure(figsize=(1.5 + 1.3 * len(bars), 4.5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / max(len(datasets), 1)
    for number, dataset in enumerate(datasets):
        places = [place + (number - (len(datasets) - 1) / 2) * width for place in range(len(bars))]
        shares = [100 * bar.accuracies.get(dataset, 0.0) for bar in bars]
        axes.bar_label(axes.bar(places, shares, width, label=dataset), fmt="%.0f", fontsize=7)
    rates = ["not coded" if bar.bits_per_second is None else f"{bar.bits_per_second:.0f} bit/s" for bar in bars]
    axes.set_xticks(
        range(len(bars)), [f"{bar.name}\n{rate}" for bar, rate in zip(bars, rates, strict=True)], fontsize=8
    )
    axes.set_ylabel("sounds the classifier names right, %")
    axes.set_ylim(0, 100)
    if datasets:
        axes.legend()
    figure.savefig(path, dpi=120, format="png")


def plot_panel(rows: Sequence[str], columns: Sequence[Column], mel: LogMel, path: Path) -> None:
    """Draws log-mel spectrograms as a PNG: a row for each sound, a column for each version of it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and only pictures need it

    figure = Figure(figsize=(4 * len(columns), 1.9 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, name in enumerate(rows):
        for number, column in enumerate(columns):
            axes = grid[row, number]
            with torch.inference_mode():
                picture = mel(column.waveforms[row][None])[0]
            seconds = picture.shape[1] / mel.config.frame_rate
            axes.imshow(
                picture.numpy(),
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=_DARKEST,
                vmax=_BRIGHTEST,
                extent=(0, seconds, 0, picture.shape[0]),
            )
            axes.set_yticks([])
            axes.tick_params(labelsize=6)
            axes.set_title(column.title if row == 0 else "", fontsize=9)
            axes.set_ylabel(name if number == 0 else "", fontsize=9)
    figure.savefig(path, dpi=110, format="png")


def plot_confusion(names: Sequence[str], counts: Sequence[Sequence[int]], path: Path) -> None:
    """Draws how often each class was taken for each, as a PNG.

    Args:
        names: of the classes C.
        counts: [C][C], the right class first.
        path: of the picture.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and only pictures need it

    shares = torch.tensor(counts, dtype=torch.float64)
    shares = 100 * shares / shares.sum(1, keepdim=True).clamp_min(1)
    size = 3.0 + 0.17 * len(names)
    figure = Figure(figsize=(size + 0.8, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares.numpy(), cmap="magma_r", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("what the model says")
    axes.set_ylabel("what it is")
    figure.colorbar(image, label="% of the sounds of the class", shrink=0.6)
    figure.savefig(path, dpi=120, format="png")


def plot_groups(groups: Mapping[str, Mapping[str, float]], label: str, path: Path) -> None:
    """Draws shares in groups, as a PNG.

    Args:
        groups: by the name under the group, shares from 0 to 1 by the name in the legend.
        label: of the axis.
        path: of the picture.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and only pictures need it

    figure = Figure(figsize=(2.5 + 1.4 * len(groups), 4.5), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for shares in groups.values() for name in shares))
    width = 0.8 / max(len(names), 1)
    for number, name in enumerate(names):
        places = [place + (number - (len(names) - 1) / 2) * width for place in range(len(groups))]
        shares = [100 * shares.get(name, 0.0) for shares in groups.values()]
        axes.bar_label(axes.bar(places, shares, width, label=name), fmt="%.0f", fontsize=7)
    axes.set_xticks(range(len(groups)), list(groups), fontsize=8)
    axes.set_ylabel(label)
    axes.set_ylim(0, 105)
    figure.legend(loc="outside upper center", ncols=len(names), fontsize=7)
    figure.savefig(path, dpi=120, format="png")
