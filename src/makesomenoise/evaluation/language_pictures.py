"""The pictures of a language model's evaluation; reads only what `results.json` holds."""

from collections.abc import Callable, Mapping
from pathlib import Path

from makesomenoise.evaluation.plots import plot_confusion, plot_groups
from makesomenoise.files import atomic_write


def draw_language(results: Mapping, output: Path) -> None:
    """Draws `confusion-<dataset>.png`, `scenes.png` and `making.png`, of what was asked about.

    Args:
        results: the content of `results.json`.
        output: folder of the pictures.
    """
    for dataset, found in results.get("naming", {}).items():
        _drawn(output / f"confusion-{dataset}.png", lambda p, f=found: plot_confusion(f["names"], f["confusion"], p))
    if results.get("scenes"):
        groups = {kind: _answers(found) for kind, found in results["scenes"].items()}
        _drawn(output / "scenes.png", lambda p: plot_groups(groups, "questions about scenes answered right, %", p))
    if results.get("making"):
        groups = {
            f"{task}, top {best}, {who}": {n: row[f"any{best}" if best > 1 else "top1"] for n, row in rows.items()}
            for task, by in results["making"].items()
            for who, rows in by.items()
            for best in (1, 5)
        }
        _drawn(
            output / "making.png", lambda p: plot_groups(groups, "sounds in which what was asked for is heard, %", p)
        )


def _answers(found: Mapping) -> dict[str, float]:
    return {
        "with the sound": found["with_sound"],
        "without it": found["without_sound"],
        "most frequent answer": found["majority"],
        "chance": found["chance"],
    }


def _drawn(path: Path, draw: Callable[[Path], None]) -> None:
    with atomic_write(path) as temporary:
        draw(temporary)
