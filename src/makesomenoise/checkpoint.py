"""Weights of model folders: `model.safetensors` beside `config.yaml` and `MODEL_CARD.md`.

Knows how weights are kept, not what they mean. Nothing is ever unpickled.
"""

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal

import numpy as np
import safetensors
import safetensors.numpy
import yaml

from makesomenoise.config import Config, ModelConfig
from makesomenoise.files import make_folder, write_bytes
from makesomenoise.model_folder import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT_VERSION,
    HEADER,
    WEIGHTS_FILE,
    CheckpointError,
    ConfigT,
    load_config,
    read_settings,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    Weight = np.ndarray | Tensor

Storage = Literal["float32", "float16", "int8"]

# What int8 may round: large matrices of a decoder. Encoder and quantizer decide on the codes, and vectors are small.
_ROUNDED_PART, _ROUNDED_ELEMENTS = "decoder.", 100_000
_SCALE = ".scale"
_MOST = 127


@dataclass(frozen=True)
class StoredModel(Generic[ConfigT]):
    """What a model folder holds.

    Attributes:
        config: its settings.
        state: its weights by name, floating-point ones as float32.
        fingerprint: see `model_fingerprint`.
    """

    config: ConfigT
    state: dict[str, np.ndarray]
    fingerprint: str

    def tensors(self) -> "dict[str, Tensor]":
        """Its weights as tensors, which share their memory."""
        return _tensors(self.state)


def save_model(
    folder: str | Path,
    config: ModelConfig,
    state: "Mapping[str, Weight]",
    storage: Storage = "float32",
    card: str | None = None,
) -> None:
    """Writes a model folder; each file appears whole or not at all.

    Args:
        folder: made if missing; files in it are replaced.
        config: written as YAML, below the kind of the model, the version of the format and the model's fingerprint.
        state: arrays or tensors by name.
        storage: how floating-point tensors are kept. `int8` keeps the large matrices of a decoder in 8 bits with a
            scale for each row, 0.4 % of the largest weight of a row apart at most, and all else in 16.
        card: text of the model card.

    Raises:
        FileError: if it cannot be written.
    """
    folder = make_folder(folder)
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in state.items():
        arrays |= _stored(name, _array(tensor), storage)
    files = {WEIGHTS_FILE: safetensors.numpy.save(arrays), CONFIG_FILE: _config_text(config, state).encode()}
    if card is not None:
        files[CARD_FILE] = card.encode()
    for name, data in files.items():
        write_bytes(folder / name, data)


def load_model(
    folder: str | Path, config_class: type[ConfigT], wanted: Callable[[str], bool] | None = None
) -> StoredModel[ConfigT]:
    """Reads a model folder, and sees whether it holds the model that it says it does.

    Args:
        folder: the model folder.
        config_class: the kind of model that is expected.
        wanted: says for a name whether that weight is wanted, which those that identify the model must be; none wants
            all.

    Raises:
        CheckpointError: if a file is missing or damaged, if the folder holds a model of another kind or of a later
            format, or if weights or settings are not those it was written with.
    """
    config, state = load_config(folder, config_class), load_arrays(folder, wanted)
    told, found = read_settings(folder).get(HEADER[-1]), model_fingerprint(config, state)
    if told is not None and told != found:
        raise CheckpointError(
            f"{folder} says it is the model {told}, but its {CONFIG_FILE} and {WEIGHTS_FILE} are those of {found}: "
            "copy both files again from where they came, or train or save the model anew."
        )
    return StoredModel(config, state, found)


def load_arrays(folder: str | Path, wanted: Callable[[str], bool] | None = None) -> dict[str, np.ndarray]:
    """Reads weights of a model folder, however they are stored; floating-point ones as float32.

    Args:
        folder: the model folder.
        wanted: says for a name whether it is wanted; none wants all.

    Raises:
        CheckpointError: if the file is missing or damaged.
    """
    return _read(Path(folder) / WEIGHTS_FILE, wanted)


def load_state(folder: str | Path) -> "dict[str, Tensor]":
    """All weights of a model folder as tensors; see `load_arrays`."""
    return load_weights(Path(folder) / WEIGHTS_FILE)


def load_weights(path: str | Path) -> "dict[str, Tensor]":
    """Reads a safetensors file; see `load_state`."""
    return _tensors(_read(path))


def load_into(module: "nn.Module", state: "dict[str, Tensor]", origin: str) -> None:
    """Copies weights into a module.

    Args:
        module: receives the weights; each of its tensors must be there, with its shape.
        state: tensors by name.
        origin: where the weights came from, named in errors.

    Raises:
        CheckpointError: if names or shapes do not match.
    """
    own = module.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    for names, what in ((missing, "lacks"), (unknown, "has an unknown"), (sorted(shapes), "has another shape of")):
        if names:
            raise CheckpointError(
                f"The weights of {origin} do not match its {CONFIG_FILE}: the file {what} '{names[0]}' "
                f"({len(names)} such tensors); use the {CONFIG_FILE} that was saved with them."
            )
    module.load_state_dict(state)


def fingerprint(config: Config, state: "Mapping[str, Weight]") -> str:
    """16 hexadecimal digits that change with any setting and with any weight.

    Weights are compared as 16-bit floats, the precision they are shipped in, so that a model keeps its fingerprint
    when it is saved at half precision.
    """
    return _digest(config.model_dump_json(), state)


def model_fingerprint(config: ModelConfig, state: "Mapping[str, Weight]") -> str:
    """16 hexadecimal digits by which a model is known: of the settings and weights that decide on what it gives.

    A setting that a later version adds, or a part that is trained further, changes nothing where the configuration's
    `identity` and `not_identifying` leave it out. Weights are compared as `fingerprint` does.
    """
    deciding = {name: weight for name, weight in state.items() if name.split(".")[0] not in config.not_identifying}
    return _digest(json.dumps(config.identity(), separators=(",", ":")), deciding)


def source_commit() -> str:
    """The git commit of the running code, with `-dirty` where it was changed; `unknown` outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _config_text(config: ModelConfig, state: "Mapping[str, Weight]") -> str:
    told = (config.model_type, FORMAT_VERSION, model_fingerprint(config, state))
    return yaml.safe_dump(dict(zip(HEADER, told, strict=True)), sort_keys=False) + config.to_yaml()


def _digest(settings: str, state: "Mapping[str, Weight]") -> str:
    digest = hashlib.sha256(settings.encode())
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(_plain(_array(state[name]), "float16").tobytes())
    return digest.hexdigest()[:16]


def _read(path: str | Path, wanted: Callable[[str], bool] | None = None) -> dict[str, np.ndarray]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            chosen = [name for name in names if not _is_scale(name, names) and (wanted is None or wanted(name))]
            return {name: _widened(file, name, names) for name in chosen}
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"Cannot read the weights {path}: {error}.") from None


def _is_scale(name: str, names: set[str]) -> bool:
    return name.endswith(_SCALE) and name.removesuffix(_SCALE) in names


def _widened(file: "safetensors.safe_open", name: str, names: set[str]) -> np.ndarray:
    array = file.get_tensor(name)
    if name + _SCALE in names:
        return array.astype(np.float32) * file.get_tensor(name + _SCALE).astype(np.float32)[:, None]
    return array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array


def _stored(name: str, array: np.ndarray, storage: Storage) -> dict[str, np.ndarray]:
    """The arrays that a file holds for one of the model."""
    large = array.ndim == 2 and array.size > _ROUNDED_ELEMENTS  # noqa: PLR2004 - a matrix
    if storage == "int8" and large and name.startswith(_ROUNDED_PART):
        return _rounded(name, array.astype(np.float32))
    return {name: _plain(array, storage)}


def _rounded(name: str, matrix: np.ndarray) -> dict[str, np.ndarray]:
    # Below float16's normal numbers a scale would be too coarse for what is loaded to be stored the same again.
    scale = np.maximum(np.abs(matrix).max(axis=1) / np.float32(_MOST), np.finfo(np.float16).tiny).astype(np.float16)
    steps = np.round(matrix / scale.astype(np.float32)[:, None]).clip(-_MOST, _MOST)
    return {name: steps.astype(np.int8), name + _SCALE: scale}


def _plain(array: np.ndarray, storage: Storage) -> np.ndarray:
    array = np.ascontiguousarray(array).reshape(array.shape)  # which makes a single number a row of one
    floating = np.issubdtype(array.dtype, np.floating)
    return array.astype(np.float16) if storage != "float32" and floating else array


def _array(weight: "Weight") -> np.ndarray:
    return weight if isinstance(weight, np.ndarray) else weight.detach().cpu().numpy()


def _tensors(arrays: Mapping[str, np.ndarray]) -> "dict[str, Tensor]":
    import torch  # noqa: PLC0415 - what runs a model needs no torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}
