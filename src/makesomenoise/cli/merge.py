"""`msn merge`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Force, Json

Source = Annotated[str, typer.Argument(help="Language model: a folder, `language` or a Hub id.", show_default=False)]
Target = Annotated[
    Path, typer.Argument(help="A folder that is new or empty; a file with `--format gguf`.", show_default=False)
]
Whole = Annotated[bool, typer.Option("--float32", help="Write 32 bits a weight instead of 16, into a folder.")]
_FORMATS = ("hf", "gguf", "peft")


def _known(name: str) -> str:
    if name not in _FORMATS:
        raise typer.BadParameter(f"unknown format '{name}': give {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.")
    return name


Format = Annotated[
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
    target_format: Format = "hf",
    float32: Whole = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a language model as a plain folder, GGUF file or adapter, which others load with no code of ours."""
    if target_format == "gguf":
        if float32:
            raise typer.BadParameter("`--float32` is for folders: a GGUF file has 8 bits a weight.")
        _gguf(model, output, force)
        size, key, whom = output.stat().st_size, "file", "llama.cpp"
    else:
        if force:
            raise typer.BadParameter("`--force` is for `--format gguf`: a folder must be new or empty.")
        _folder(model, output, float32, adapter=target_format == "peft")
        size = sum(path.stat().st_size for path in output.rglob("*"))
        key, whom = "folder", "PEFT" if target_format == "peft" else "transformers and vLLM"
    told = f"{output}: {size / 1e6:.0f} MB, for {whom}"
    typer.echo(json.dumps({key: str(output), "bytes": size}) if as_json else told)


def _folder(model: str, folder: Path, float32: bool, adapter: bool) -> None:
    from makesomenoise.files import check_free

    check_free(folder)
    import torch

    from makesomenoise.language.model import LanguageModel

    dtype = torch.float32 if float32 else torch.bfloat16
    if adapter:
        LanguageModel.load(model, dtype).write_peft(folder)
    else:
        LanguageModel.load(model, dtype, fused=True).merge(folder)


def _gguf(model: str, path: Path, force: bool) -> None:
    from makesomenoise.cli.targets import Kind, check

    check(path, Kind("a GGUF file", (".gguf",), strict=True), force)
    from makesomenoise.language.merged_gguf import merge_gguf

    merge_gguf(model, path)
