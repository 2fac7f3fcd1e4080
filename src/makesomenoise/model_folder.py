"""Which folder a model's name means, and the configuration in it: told without reading any weights.

The Hub is asked only for a source that is neither a folder nor a bundled name.
"""

from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from makesomenoise.config import ModelConfig, read_yaml
from makesomenoise.errors import ConfigError, ModelError

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "MODEL_CARD.md"
FORMAT_VERSION = 1  # of model folders; none of before says one
HEADER = ("model_type", "format_version", "fingerprint")  # what `config.yaml` begins with

ConfigT = TypeVar("ConfigT", bound=ModelConfig)


class CheckpointError(ModelError):
    """A model folder that cannot be used; the message is one sentence for the user."""


def resolve(source: str | Path) -> Path:
    """The folder that `source` names: the name of a bundled model, a path, or a Hub id such as `owner/name`.

    A bundled name means the bundled model wherever it is said: a folder that happens to have it is `./name`.

    Raises:
        CheckpointError: if nothing is found there.
    """
    return find_folder(source) or _download(str(source))


def find_folder(source: str | Path) -> Path | None:
    """The folder that `source` names on this machine, as `resolve`; none where it is a Hub id.

    Raises:
        CheckpointError: if it is neither.
    """
    name = str(source)
    bundled = Path(str(resources.files("makesomenoise"))) / "pretrained"
    if source == Path(name).name and (bundled / name / CONFIG_FILE).is_file():
        return bundled / name
    if Path(source).is_dir():
        return Path(source)
    parts = name.split("/")
    if len(parts) == 2 and all(parts) and not name.startswith("."):  # noqa: PLR2004 - owner and name
        return None
    names = ", ".join(sorted(config.parent.name for config in bundled.glob(f"*/{CONFIG_FILE}"))) or "none"
    raise CheckpointError(f"No model '{name}': give a model folder, a bundled name ({names}) or a Hub id owner/name.")


def load_config(folder: str | Path, config_class: type[ConfigT], replaced: dict[str, Any] | None = None) -> ConfigT:
    """Reads the configuration of a model folder.

    Args:
        folder: a model folder.
        config_class: the kind of model that is expected.
        replaced: settings that take the place of those of the folder, which then need not fit.

    Raises:
        CheckpointError: if it is missing, is of another kind of model or of a later format, or does not fit.
    """
    values = read_settings(folder)
    kind, version, _ = (values.pop(name, None) for name in HEADER)
    if kind not in (None, config_class.model_type):
        raise CheckpointError(
            f"{folder} holds a model of type '{kind}', and one of type '{config_class.model_type}' is expected."
        )
    if version is not None and (not isinstance(version, int) or version > FORMAT_VERSION):
        raise CheckpointError(
            f"{folder} has format {version}, and this makesomenoise reads up to {FORMAT_VERSION}: install a later one."
        )
    values = (values if version else config_class.from_unversioned(values)) | (replaced or {})
    try:
        return config_class.from_dict(values, str(Path(folder) / CONFIG_FILE))
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def read_settings(folder: str | Path) -> dict[str, Any]:
    """The keys of a model folder's configuration, `HEADER` included.

    Raises:
        CheckpointError: if it is missing, or is no YAML of keys and values.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    try:
        return read_yaml(path)
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def _download(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only a Hub id needs the network client
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    patterns = [CONFIG_FILE, WEIGHTS_FILE, CARD_FILE]
    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"Neither a folder nor a reachable Hub model: '{repo_id}' ({reason}).") from None
