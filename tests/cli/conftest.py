"""Two tiny tokenizers with random weights and a vocoder, as folders, and a way to call `msn`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from typer import testing
from typer.main import get_command

from tests import factories

Msn = Callable[..., testing.Result]


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


@pytest.fixture(scope="session")
def runner() -> Iterator[Msn]:
    """`msn` for what outlives a test."""
    from makesomenoise.cli.main import app

    def call(*arguments: object, typed: str | bytes = "") -> testing.Result:
        return testing.CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)

    with pytest.MonkeyPatch.context() as patch:
        # Typer's runner puts the command together anew for each call, which is most of what a call takes.
        patch.setattr(testing, "_get_command", cache(get_command), raising=False)
        yield call


@pytest.fixture
def msn(runner: Msn) -> Msn:
    """Calls `msn` with arguments; what it prints for the user's mistakes is in `.stderr`."""
    return runner
