"""The reference says what the code says."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tools.reference import pages

    return pages()


def test_what_is_committed_is_what_the_code_gives(pages: dict[str, str]):
    folder = ROOT / "docs" / "reference"
    stale = [name for name, text in pages.items() if (folder / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run: python -m tools.reference"


def test_every_configuration_key_is_described(pages: dict[str, str]):
    rows = [line for line in pages["configuration.md"].splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith("|  |") and not row.startswith("| `kind` ")] == []
