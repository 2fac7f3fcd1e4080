"""Every command says in one sentence which extra it lacks; the table of extras is that of pyproject.toml."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from typer.main import get_command

from makesomenoise.audio import io
from makesomenoise.cli.extras import BROUGHT, MODULES, missing
from makesomenoise.cli.main import app

ROOT = Path(__file__).parents[2]
IMPORTED_AS = {"scikit-learn": "sklearn"}
# Words that get a command as far as what it needs; all others are given an `x` for each argument. Of those that hear,
# one is enough here: `test_without_torch` runs others.
WORDS = {
    "train tokenizer": ("run.yaml", "--run", "run"),
    "train semantic-branch": ("run.yaml", "--run", "run"),
    "train vocoder": ("run.yaml", "--run", "run"),
    "train language": ("run.yaml", "--run", "run"),
    "data prepare debian": ("x", "--package", "none"),  # else it would fetch them all
    "classify": ("x", "--labels", "dog,rain"),
    "ask": ("tone.wav", "What is it?"),
    "generate": ("rain", "--seconds", "0.1", "-o", "out.wav"),
    "chat": (),
    "merge": ("language", "merged"),
    "bench": ("--model", "no-model"),
}
NEEDS = {
    "data encode": "data",
    "train tokenizer": "train,data,language",
    "train language": "train,data,language",
    "evaluate language": "evaluate,ears,data,language",
    "merge": "language",
}
WALK = """
import importlib.abc, json, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked, words = json.loads(sys.argv[1])
sys.meta_path.insert(0, Blocked())
from typer.testing import CliRunner
from makesomenoise.cli.main import app
print(json.dumps({path: (r := CliRunner().invoke(app, [*path.split(), *rest])) and
    [r.exit_code, r.stderr, repr(r.exception)] for path, rest in words.items()}))
"""


def test_the_table_is_that_of_the_project():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, modules in MODULES.items():
        names = [re.split(r"[<>=!~\[;]", requirement)[0] for requirement in extras[extra]]
        assert {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} == modules
    assert set(extras) == {*MODULES, "all"}


def test_what_no_extra_brings_is_a_bug():
    assert missing(ModuleNotFoundError("No module named 'numpy'", name="numpy"), "msn encode") is None
    assert missing(ModuleNotFoundError("No module named 'x'"), "msn encode") is None


def test_what_has_an_extra_of_its_own_is_named_by_the_lightest():
    said = missing(ModuleNotFoundError("No module named 'gguf'", name="gguf"), "msn merge")
    assert said == "`msn merge` needs gguf, which is not installed: run pip install 'makesomenoise[gguf]'."


def test_every_command_names_the_extra_that_the_core_alone_lacks(tmp_path: Path, tone):
    io.save(tmp_path / "tone.wav", tone(0.5))
    words = {path: WORDS.get(path, ("x",) * count) for path, count in arguments().items()}
    blocked = sorted({*BROUGHT, *(name for modules in MODULES.values() for name in modules)})
    given = [sys.executable, "-c", WALK, json.dumps([blocked, words])]
    done = subprocess.run(given, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    for path, (code, told, exception) in results.items():
        assert code in (0, 2), (path, told, exception)
        assert code == 0 or all(line.startswith("msn: ") for line in told.splitlines()[-1:]), (path, told)
        assert "Traceback" not in told
    for path, extras in NEEDS.items():
        assert results[path][0] == 2
        assert f"pip install 'makesomenoise[{extras}]'" in results[path][1], path


def arguments() -> dict[str, int]:
    """How many arguments each command takes."""

    def walk(group, path: tuple[str, ...]) -> Iterator[tuple[str, int]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, (*path, name))
            else:
                yield " ".join((*path, name)), sum(p.param_type_name == "argument" for p in command.params)

    return dict(walk(get_command(app), ()))
