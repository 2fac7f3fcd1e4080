"""Pictures are written as PNG."""

from pathlib import Path

import torch

from makesomenoise.audio.mel import MelConfig
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.plots import (
    Column,
    choose_panel,
    draw_language,
    plot_accuracy,
    plot_confusion,
    plot_groups,
    plot_panel,
)
from makesomenoise.nn.log_mel import LogMel

PNG = b"\x89PNG"


def clip(key: str, label: str, kind: str = "sfx") -> Clip:
    return Clip(key, Path(), 0, 0, kind=kind, label=label)


def test_the_panel_takes_the_first_of_each_sound_and_leaves_out_what_is_missing():
    clips = [clip("c", "siren"), clip("b", "dog"), clip("a", "dog"), clip("d", "left", "speech"), clip("e", "rainbow")]
    assert choose_panel(clips) == {"dog": 2, "siren": 0, "speech": 3}


def test_pictures_are_written(tmp_path: Path):
    def system(rate: float | None, **accuracies: float) -> dict:
        classified = {dataset: {"accuracy": share} for dataset, share in accuracies.items()}
        return {"event_classifier": classified, "fidelity": {"all": {"bits_per_second": rate}}}

    systems = {"original": {"event_classifier": {"esc50": {"accuracy": 0.8}}}, "ours": system(234.4, esc50=0.5)}
    plot_accuracy({**systems, "none judged": system(700.0), "vocoder": system(None)}, tmp_path / "bars.png")
    plot_panel(["dog"], [Column("original", [torch.zeros(2400)])], LogMel(MelConfig()), tmp_path / "panel.png")
    assert (tmp_path / "bars.png").read_bytes()[:4] == PNG
    assert (tmp_path / "panel.png").read_bytes()[:4] == PNG


def test_confusions_and_groups_are_written(tmp_path: Path):
    plot_confusion(["cow", "dog"], [[3, 1], [0, 0]], tmp_path / "confusion.png")
    plot_groups({"top 1": {"real": 0.5, "made": 0.25}, "top 5": {"real": 1.0}}, "right, %", tmp_path / "groups.png")
    assert (tmp_path / "confusion.png").read_bytes()[:4] == PNG
    assert (tmp_path / "groups.png").read_bytes()[:4] == PNG


ROW = {"top1": 0.25, "any_in_top5": 0.5}
ANSWERED = {"accuracy": 0.5, "accuracy_without_sound": 0.25, "majority": 0.1, "chance": 0.25}


def test_what_was_asked_about_is_drawn(tmp_path: Path):
    draw_language({}, tmp_path)
    draw_language({"scene_qa": {}, "generation": {}, "classification": {}}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    classification = {name: {"labels": ["a", "b"], "confusion": [[1, 0], [1, 1]]} for name in ("esc50", "urbansound8k")}
    draw_language(
        {
            "scene_qa": {"first": ANSWERED},
            "generation": {"labels": {"yamnet": {"real": ROW}}},
            "classification": classification,
        },
        tmp_path,
    )
    drawn = {"confusion-esc50.png", "confusion-urbansound8k.png", "generation.png", "scene_qa.png"}
    assert {path.name for path in tmp_path.iterdir()} == drawn
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in tmp_path.iterdir())
