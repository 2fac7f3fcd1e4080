"""`msn evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import VocoderName

app = typer.Typer(no_args_is_help=True, help="Measure: `msn evaluate tokenizer CORPUS OUTPUT`.")
NAMES = ["default", "vqvae"]


@app.callback()
def main() -> None:
    """Measure what the project promises."""


@app.command()
def tokenizer(
    corpus: Annotated[Path, typer.Argument(help="Folder with train-*.tar and valid-*.tar.", show_default=False)],
    output: Annotated[Path, typer.Argument(help="Folder for results.json, results.md, plots.", show_default=False)],
    models: Annotated[list[str], typer.Option("--model", help="Tokenizers to compare; repeat it.")] = NAMES,
    classifier: Annotated[Path, typer.Option(help="Folder of the event classifier.")] = Path("runs/classifier"),
    vocoder: VocoderName = "default",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many clips of each dataset.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps decoded clips.")] = None,
) -> None:
    """Ask what survives coding, what the codes know, how close, how fast, how small."""
    from makesomenoise.evaluation.corpus import Corpus
    from makesomenoise.evaluation.report import Questions, evaluate_tokenizer

    compared = {Path(name).name: name for name in models}
    evaluate_tokenizer(compared, Corpus.read(corpus, cache), classifier, output, Questions(limit=limit), vocoder)
    typer.echo(f"Results in {output / 'results.md'}")
