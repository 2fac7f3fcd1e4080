"""Pieces of a Markdown report: tables and shares."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what stands in a cell must hold no line break."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in lines)


def percent(share: float | None) -> str:
    """A share in [0, 1] in percent, or a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def within(share: float, error: float) -> str:
    """A share in [0, 1] in percent with its standard error."""
    return f"{100 * share:.1f} ± {100 * error:.1f} %"


def figure(value: float | None, digits: int = 2) -> str:
    """A number with so many digits after the point, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
