"""The pictures of an evaluation: what survives against bitrate, spectrograms side by side, answers in groups."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from makesomenoise.data.manifest import Clip
from makesomenoise.files import atomic_write
from makesomenoise.nn.log_mel import LogMel

_WANTED = ("dog", "rain", "siren", "piano", "clapping", "speech")
_DARKEST, _BRIGHTEST = -6.0, 4.0


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


def plot_accuracy(systems: Mapping[str, Mapping], path: Path) -> None:
    """Draws how often the event classifier is right after each system, in order of bitrate, as a PNG.

    Args:
        systems: figures by name, as `results.json` holds them.
        path: of the picture.
    """
    rates = {name: found.get("fidelity", {}).get("all", {}).get("bits_per_second") for name, found in systems.items()}
    groups = {
        f"{name}\n{'not coded' if rates[name] is None else f'{rates[name]:.0f} bit/s'}": {
            dataset: figures["accuracy"] for dataset, figures in systems[name]["event_classifier"].items()
        }
        for name in sorted(systems, key=lambda name: math.inf if rates[name] is None else rates[name])
    }
    plot_groups(groups, "sounds the classifier names right, %", path)


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


def draw_language(results: Mapping, output: Path) -> None:
    """Draws `confusion-<dataset>.png`, `scene_qa.png` and `generation.png`, of what was asked about.

    Args:
        results: the content of `results.json`.
        output: folder of the pictures.
    """
    for dataset, found in results.get("classification", {}).items():
        with atomic_write(output / f"confusion-{dataset}.png") as temporary:
            plot_confusion(found["labels"], found["confusion"], temporary)
    if results.get("scene_qa"):
        answers = {kind: _answers(found) for kind, found in results["scene_qa"].items()}
        with atomic_write(output / "scene_qa.png") as temporary:
            plot_groups(answers, "questions about scenes answered right, %", temporary)
    if results.get("generation"):
        heard = {
            f"{prompts}, top {count}, {listener}": {name: row[key] for name, row in rows.items()}
            for prompts, by_listener in results["generation"].items()
            for listener, rows in by_listener.items()
            for count, key in ((1, "top1"), (5, "any_in_top5"))
        }
        with atomic_write(output / "generation.png") as temporary:
            plot_groups(heard, "sounds in which what was asked for is heard, %", temporary)


def _answers(found: Mapping) -> dict[str, float]:
    return {
        "with the sound": found["accuracy"],
        "without it": found["accuracy_without_sound"],
        "most frequent answer": found["majority"],
        "chance": found["chance"],
    }
