"""`msn export`: models in the formats of other programs."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Write models in the formats of other programs.")


@app.callback()
def export() -> None:
    """Write models in the formats of other programs."""


@app.command()
def onnx(
    model: Annotated[str, typer.Argument(help="Tokenizer: a model folder, `default`, `vqvae` or a Hub id.")],
    folder: Annotated[Path, typer.Argument(help="Receives the graphs and the weights.", show_default=False)],
) -> None:
    """Write the networks of a tokenizer and its vocoder as ONNX graphs beside their weights."""
    from makesomenoise.tokenizer.export import export_tokenizer

    for path in export_tokenizer(model, folder):
        typer.echo(f"{path}: {path.stat().st_size} bytes")
