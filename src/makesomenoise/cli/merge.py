"""`msn merge`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Json

Source = Annotated[str, typer.Argument(help="Language model: a folder, `language` or a Hub id.", show_default=False)]
Target = Annotated[Path, typer.Argument(help="A folder that is new or empty.", show_default=False)]
Whole = Annotated[bool, typer.Option("--float32", help="Write 32 bits a weight instead of 16.")]


def merge(model: Source, folder: Target, float32: Whole = False, as_json: Json = False) -> None:
    """Write a language model as a plain folder that transformers loads with no code of ours."""
    from makesomenoise.files import check_free

    check_free(folder)
    import torch

    from makesomenoise.language.model import LanguageModel

    dtype = torch.float32 if float32 else torch.bfloat16
    LanguageModel.load(model, dtype, fused=True).merge(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    megabytes = f"{folder}: {size / 1e6:.0f} MB, for transformers, vLLM or llama.cpp"
    typer.echo(json.dumps({"folder": str(folder), "bytes": size}) if as_json else megabytes)
