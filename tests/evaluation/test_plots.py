"""Pictures are written as PNG."""

from pathlib import Path

import torch

from makesomenoise.audio.mel import LogMel, MelConfig
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.plots import (
    Bar,
    Column,
    choose_panel,
    draw_language,
    plot_confusion,
    plot_groups,
    plot_panel,
    plot_survival,
)

PNG = b"\x89PNG"


def clip(key: str, label: str, kind: str = "sfx") -> Clip:
    return Clip(key, Path(), 0, 0, kind=kind, label=label)


def test_the_panel_takes_the_first_of_each_sound_and_leaves_out_what_is_missing():
    clips = [clip("c", "siren"), clip("b", "dog"), clip("a", "dog"), clip("d", "left", "speech"), clip("e", "rainbow")]
    assert choose_panel(clips) == {"dog": 2, "siren": 0, "speech": 3}


def test_pictures_are_written(tmp_path: Path):
    bars = [Bar("original", None, {"esc50": 0.8}), Bar("ours", 234.4, {"esc50": 0.5}), Bar("none judged", 700.0, {})]
    plot_survival(bars, tmp_path / "bars.png")
    plot_panel(["dog"], [Column("original", [torch.zeros(2400)])], LogMel(MelConfig()), tmp_path / "panel.png")
    assert (tmp_path / "bars.png").read_bytes()[:4] == PNG
    assert (tmp_path / "panel.png").read_bytes()[:4] == PNG


def test_confusions_and_groups_are_written(tmp_path: Path):
    plot_confusion(["cow", "dog"], [[3, 1], [0, 0]], tmp_path / "confusion.png")
    plot_groups({"top 1": {"real": 0.5, "made": 0.25}, "top 5": {"real": 1.0}}, "right, %", tmp_path / "groups.png")
    assert (tmp_path / "confusion.png").read_bytes()[:4] == PNG
    assert (tmp_path / "groups.png").read_bytes()[:4] == PNG


ROW = {"top1": 0.25, "any5": 0.5}
ANSWERED = {"with_sound": 0.5, "without_sound": 0.25, "majority": 0.1, "chance": 0.25}


def test_what_was_asked_about_is_drawn(tmp_path: Path):
    draw_language({}, tmp_path)
    draw_language({"scenes": {}, "making": {}, "naming": {}}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    naming = {name: {"names": ["a", "b"], "confusion": [[1, 0], [1, 1]]} for name in ("esc50", "urbansound8k")}
    draw_language(
        {"scenes": {"first": ANSWERED}, "making": {"names": {"yamnet": {"real": ROW}}}, "naming": naming}, tmp_path
    )
    drawn = {"confusion-esc50.png", "confusion-urbansound8k.png", "making.png", "scenes.png"}
    assert {path.name for path in tmp_path.iterdir()} == drawn
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in tmp_path.iterdir())
