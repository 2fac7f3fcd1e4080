from pathlib import Path

import torch

from makesomenoise.audio.mel import MelConfig
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.plots import (
    Bar,
    Column,
    choose_panel,
    plot_confusion,
    plot_groups,
    plot_panel,
    plot_survival,
)
from makesomenoise.nn.log_mel import LogMel

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
