"""Two tiny tokenizers with random weights and a vocoder, as folders, and a way to call `msn`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.main import get_command
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


class Runner(CliRunner):
    """Calls `msn`, which it puts together once; typer's runner does so for each call, most of what a call takes."""

    def __init__(self):
        from makesomenoise.cli.main import app

        super().__init__()
        self._command = get_command(app)

    def call(self, *arguments: object, typed: str | bytes = "") -> Result:
        return super(CliRunner, self).invoke(self._command, [str(argument) for argument in arguments], input=typed)


@pytest.fixture(scope="session")
def runner() -> Runner:
    return Runner()


@pytest.fixture
def msn(runner: Runner) -> Msn:
    """Calls `msn` with arguments; what it prints for the user's mistakes is in `.stderr`."""
    return runner.call
