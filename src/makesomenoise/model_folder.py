"""Which folder a model's name means, and the configuration in it: told without reading any weights.

The Hub is asked only for a source that is neither a folder nor a bundled name.
"""

from importlib import resources
from pathlib import Path
from typing import TypeVar

from makesomenoise.config import Config
from makesomenoise.errors import ConfigError, ModelError

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "MODEL_CARD.md"

ConfigT = TypeVar("ConfigT", bound=Config)


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


def load_config(folder: str | Path, config_class: type[ConfigT]) -> ConfigT:
    """Reads the configuration of a model folder.

    Raises:
        CheckpointError: if it is missing or does not fit `config_class`.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")
    try:
        return config_class.from_yaml(path)
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
