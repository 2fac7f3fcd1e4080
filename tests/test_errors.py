"""One base catches every error that is meant for a user; each is of one of five kinds."""

import ast
from pathlib import Path

import pytest

import makesomenoise
from makesomenoise import errors

ROOT = Path(makesomenoise.__file__).parent
KINDS = {"RequestError", "FileError", "ModelError", "DataError", "ConfigError"}


def test_the_kinds_are_these():
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert found == KINDS | {"MakeSomeNoiseError"}
    assert all(issubclass(getattr(errors, name), makesomenoise.MakeSomeNoiseError) for name in KINDS)


def test_every_error_of_the_package_is_of_a_kind():
    for path in ROOT.rglob("*.py"):
        if path.name == "errors.py" and path.parent == ROOT:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                assert {ast.unparse(base) for base in node.bases} <= KINDS, f"{path}: {node.name}"


def test_the_base_is_caught_as_what_python_calls_a_wrong_value():
    with pytest.raises(ValueError, match="too long"):
        raise errors.RequestError("It is too long.")
