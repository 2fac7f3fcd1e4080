"""Configurations are strict, and an error says which key is wrong and which would be right."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from makesomenoise.config import Config
from makesomenoise.errors import ConfigError


class Inner(Config):
    width: int = 3
    kind: Literal["inner"] = "inner"


class Other(Config):
    height: float = 1.0
    kind: Literal["other"] = "other"


class Outer(Config):
    inner: Inner = Inner()
    either: Annotated[Inner | Other, Field(discriminator="kind")] = Other()
    names: tuple[str, ...] = ()


def test_yaml_goes_round(tmp_path: Path):
    config = Outer(inner=Inner(width=7), names=("a", "b"))
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml())
    assert Outer.from_yaml(path) == config


def test_a_configuration_is_frozen():
    with pytest.raises(ValidationError):
        Inner().width = 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"iner": {}}, "Unknown key 'iner' in here; valid keys there: inner, either, names."),
        ({"inner": {"widht": 1}}, "Unknown key 'inner.widht' in here; valid keys there: width, kind."),
        ({"inner": {"width": "wide"}}, "Wrong value at 'inner.width' in here: .*got 'wide'"),
        ({"either": {"kind": "third"}}, "Wrong value at 'either' in here"),
        ([], "Wrong value at 'the top level' in here"),
        (None, "Wrong value at 'the top level' in here"),
    ],
)
def test_what_does_not_fit_is_named(values: object, message: str):
    with pytest.raises(ConfigError, match=message) as caught:
        Outer.from_dict(values, origin="here")
    assert "\n" not in str(caught.value)


def test_an_unknown_key_of_a_chosen_kind_lists_the_keys_of_that_kind():
    with pytest.raises(ConfigError, match="valid keys there: height, kind"):
        Outer.from_dict({"either": {"kind": "other", "width": 1}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1", "is not valid YAML"),
        (b"\xff\xfe\x00", "Cannot read|not valid YAML"),
        (b"", "holds no keys"),
        (b"- 1", "holds no keys"),
    ],
)
def test_a_bad_file_is_one_sentence(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        Outer.from_yaml(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ConfigError, match=f"Cannot read the configuration {path}"):
            Outer.from_yaml(path)


class Needs(Config):
    width: int


def test_a_misspelt_key_is_named_before_the_one_it_leaves_missing():
    with pytest.raises(ConfigError, match=r"Unknown key 'widht'.*valid keys there: width"):
        Needs.from_dict({"widht": 3})
