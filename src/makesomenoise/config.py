"""Strict configuration: YAML files to frozen pydantic models and back; knows no model of the project.

An unknown key, a wrong type or a missing file is an error of one sentence that names what would be right.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from makesomenoise.errors import ConfigError


class Config(BaseModel):
    """Base of every configuration: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_dict(cls, values: object, origin: str = "configuration") -> Self:
        """Builds the configuration from plain values.

        Args:
            values: what a YAML or JSON reader returned.
            origin: where the values came from, named in errors.

        Raises:
            ConfigError: if a key is unknown or a value does not fit.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_explain(cls, error, origin)) from None

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Reads the configuration from a YAML file.

        Raises:
            ConfigError: if the file is missing, is not YAML, or does not fit.
        """
        return cls.from_dict(read_yaml(path), origin=str(path))

    def to_yaml(self) -> str:
        """The configuration as YAML text that `from_yaml` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file of keys and values.

    Raises:
        ConfigError: if the file is missing or is not that.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the configuration {path}: {error}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no keys: expected lines of the form 'key: value'.")
    return values


class ModelConfig(Config):
    """Settings of a model that has a folder of its own, and what of them makes it this model and no other.

    Attributes:
        model_type: kind of the model, by which no folder is taken for one of another kind.
        not_identifying: modules that may be trained further without the model becoming another one.
    """

    model_type: ClassVar[str]
    not_identifying: ClassVar[tuple[str, ...]] = ()

    def identity(self) -> dict[str, Any]:
        """The settings that its fingerprint counts, as JSON values: those that decide on what the model gives."""
        return self.model_dump(mode="json", exclude={"teachers"})

    @classmethod
    def from_unversioned(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The keys of today for the settings of a folder from before folders said their version."""
        return values


class Teacher(Config):
    """A network by which a model was trained; what was distilled from another names both.

    Attributes:
        name: what it is.
        sha256: of its file, by which it is known again.
    """

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


def _explain(cls: type[BaseModel], error: ValidationError, origin: str) -> str:
    # A misspelt key is also a missing one: of the two errors the first says what to do.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"]) or "the top level"
    if first["type"] == "extra_forbidden":
        valid = ", ".join(_fields_at(cls, first["loc"][:-1]))
        return f"Unknown key '{where}' in {origin}; valid keys there: {valid}."
    return f"Wrong value at '{where}' in {origin}: {first['msg']} (got {first['input']!r})."


def _fields_at(cls: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the nested model at `location` (tags of unions in it name a `kind`)."""
    models: list[type[BaseModel]] = [cls]
    for part in location:
        inner = [
            m
            for model in models
            if part in model.model_fields
            for m in _models_in(model.model_fields[str(part)].annotation)
        ]
        tagged = [m for m in models if "kind" in m.model_fields and m.model_fields["kind"].default == part]
        models = inner or tagged or models
    return list(dict.fromkeys(name for model in models for name in model.model_fields))


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
