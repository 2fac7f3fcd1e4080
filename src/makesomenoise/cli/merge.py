"""`msn merge`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Force, Json

Source = Annotated[str, typer.Argument(help="Language model: a folder, `language` or a Hub id.", show_default=False)]
Target = Annotated[
    Path, typer.Argument(help="A folder that is new or empty; a file with `--format gguf`.", show_default=False)
]
Whole = Annotated[bool, typer.Option("--float32", help="Write 32 bits a weight instead of 16, into a folder.")]


@dataclass(frozen=True)
class _Format:
    """How a model is written for others.

    Attributes:
        write: writes a model to a new place.
        check: refuses what does not go with it, of `--float32` and `--force`, and a place that is not free.
        kind: what it writes, as `--json` calls it.
        whom: who reads it.
    """

    write: Callable[[str, Path, bool], None]
    check: Callable[[Path, bool, bool], None]
    kind: str
    whom: str


def _check_folder(path: Path, float32: bool, force: bool) -> None:
    del float32
    from makesomenoise.files import check_free

    if force:
        raise typer.BadParameter("`--force` is for `--format gguf`: a folder must be new or empty.")
    check_free(path)


def _check_file(path: Path, float32: bool, force: bool) -> None:
    from makesomenoise.cli.targets import Kind, check

    if float32:
        raise typer.BadParameter("`--float32` is for folders: a GGUF file has 8 bits a weight.")
    check(path, Kind("a GGUF file", (".gguf",), strict=True), force)


def _write_folder(model: str, folder: Path, float32: bool) -> None:
    import torch

    from makesomenoise.language.model import LanguageModel

    LanguageModel.load(model, torch.float32 if float32 else torch.bfloat16, fused=True).merge(folder)


def _write_adapter(model: str, folder: Path, float32: bool) -> None:
    import torch

    from makesomenoise.language.model import LanguageModel

    LanguageModel.load(model, torch.float32 if float32 else torch.bfloat16).write_peft(folder)


def _write_gguf(model: str, path: Path, float32: bool) -> None:
    del float32
    from makesomenoise.language.merged_gguf import merge_gguf

    merge_gguf(model, path)


_FORMATS = {
    "hf": _Format(_write_folder, _check_folder, "folder", "transformers and vLLM"),
    "gguf": _Format(_write_gguf, _check_file, "file", "llama.cpp"),
    "peft": _Format(_write_adapter, _check_folder, "folder", "PEFT"),
}


def _known(name: str) -> str:
    if name not in _FORMATS:
        *names, last = _FORMATS
        raise typer.BadParameter(f"unknown format '{name}': give {', '.join(names)} or {last}.")
    return name


Form = Annotated[
    str,
    typer.Option(
        "--format",
        callback=_known,
        help="`hf` for transformers, `gguf` for llama.cpp, `peft` for adapter and base.",
    ),
]


def merge(
    model: Source,
    output: Target,
    target_format: Form = "hf",
    float32: Whole = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a language model as a plain folder, GGUF file or adapter, which others load with no code of ours."""
    chosen = _FORMATS[target_format]
    chosen.check(output, float32, force)
    chosen.write(model, output, float32)
    size = sum(path.stat().st_size for path in (output, *output.rglob("*")) if path.is_file())
    told = f"{output}: {size / 1e6:.0f} MB, for {chosen.whom}"
    typer.echo(json.dumps({chosen.kind: str(output), "bytes": size}) if as_json else told)
