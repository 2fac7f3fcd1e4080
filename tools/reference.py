"""Writes docs/reference from the code: commands, Python API, configuration keys.

    python -m tools.reference

`tests/test_reference.py` compares what is committed with what this gives.
"""

import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from typer.main import get_command

import makesomenoise
from makesomenoise.cli.main import app
from makesomenoise.config import Config

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = "<!-- Written by `python -m tools.reference`: edit the code, not this page. -->\n"
_ITEM = re.compile(r"^(\w+): (.*?)(?=^\w+: |\Z)", re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """File name to text of every page of the reference."""
    return {"commands.md": commands(), "python.md": python(), "configuration.md": configuration()}


def commands() -> str:
    """Every command of `msn` with its arguments and options."""
    root = get_command(app)
    parts = [_NOTE, "# Commands\n", "`msn COMMAND --help` says the same.\n"]
    for name, command in _leaves(root, "msn"):
        parts += [f"## {name}\n", _plain(command.help or ""), *_parameters(command)]
    return _joined(parts)


def python() -> str:
    """Everything that `makesomenoise` exports, with signatures and docstrings."""
    parts = [_NOTE, "# Python\n", "What `from makesomenoise import ...` gives.\n"]
    for name in sorted(makesomenoise.__all__):
        thing = getattr(makesomenoise, name)
        if inspect.isclass(thing):
            parts += _class(name, thing)
        elif callable(thing):
            parts += [f"## {name}{inspect.signature(thing)}\n", _fenced(inspect.getdoc(thing))]
    return _joined(parts)


def configuration() -> str:
    """Every section of every configuration file: keys, defaults, meanings."""
    parts = [_NOTE, "# Configuration keys\n", "A key that is left out has the default that stands here.\n"]
    for section in sorted(_sections(), key=lambda s: (s.__module__, s.__name__)):
        where = section.__module__.removeprefix("makesomenoise.")
        summary = (inspect.getdoc(section) or "").split("\n\n")[0]
        parts += [f"## {section.__name__} (`{where}`)\n", _plain(summary), *_keys(section)]
    return _joined(parts)


def _leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child in sorted(children):
        if not children[child].hidden:
            yield from _leaves(children[child], f"{name} {child}")


def _parameters(command: click.Command) -> list[str]:
    rows = ["| | default | |", "|---|---|---|"]
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        shown = ", ".join((*parameter.opts, *parameter.secondary_opts)) if is_option else str(parameter.name).upper()
        default = "" if parameter.required or parameter.default in (None, (), []) else str(parameter.default)
        rows.append(f"| `{shown}` | {_cell(default)} | {_cell(getattr(parameter, 'help', None) or '')} |")
    return ["\n".join(rows) + "\n"] if len(rows) > 2 else []  # noqa: PLR2004 - the head alone


def _class(name: str, thing: type) -> list[str]:
    parts = [f"## {name}\n", _fenced(inspect.getdoc(thing))]
    for member_name, member in vars(thing).items():
        if member_name.startswith("_") or not inspect.getdoc(member):
            continue
        function = getattr(member, "__func__", member)
        if isinstance(member, property):
            parts += [f"### {name}.{member_name}\n", _fenced(inspect.getdoc(member))]
        elif inspect.isfunction(function):
            parts += [f"### {name}.{member_name}\n", f"```text\n{member_name}{inspect.signature(function)}\n```\n"]
            parts += [_fenced(inspect.getdoc(member))]
    return parts


def _sections() -> set[type[Config]]:
    for module in pkgutil.walk_packages(makesomenoise.__path__, "makesomenoise."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[Config]] = set()
    waiting = [Config]
    while waiting:
        children = waiting.pop().__subclasses__()
        found |= {child for child in children if child.__module__.startswith("makesomenoise.")}
        waiting += children
    return found


def _keys(section: type[Config]) -> list[str]:
    described: dict[str, str] = {}
    for parent in reversed(section.__mro__):
        text = inspect.cleandoc(parent.__doc__ or "")
        if "Attributes:" in text:
            listed = textwrap.dedent(text.split("Attributes:")[1].split("\n\n")[0])
            described |= dict(_ITEM.findall(listed))
    rows = ["| key | default | |", "|---|---|---|"]
    for key, field in section.model_fields.items():
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        rows.append(f"| `{key}` | {_cell(default)} | {_cell(described.get(key, ''))} |")
    return ["\n".join(rows) + "\n"]


def _default(value: object) -> str:
    return type(value).__name__ if isinstance(value, Config) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _plain(text: str) -> str:
    return inspect.cleandoc(text).strip() + "\n"


def _fenced(text: str | None) -> str:
    return f"```text\n{(text or '').strip()}\n```\n"


def _joined(parts: list[str]) -> str:
    return "\n".join(parts)


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
