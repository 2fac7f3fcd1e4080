"""Two tiny tokenizers with random weights and a vocoder, as folders, and a way to call `msn`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests import factories

Msn = Callable[..., Result]


@dataclass(frozen=True)
class Models:
    """Folders of models."""

    ours: Path
    baseline: Path
    vocoder: Path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("ours", "baseline")):
        factories.save_tokenizer(folder / name, seed)
    return Models(folder / "ours", folder / "baseline", factories.save_vocoder(folder / "vocoder"))


@pytest.fixture
def msn() -> Msn:
    """Calls `msn` with arguments; what it prints for the user's mistakes is in `.stderr`."""
    from makesomenoise.cli.main import app

    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
