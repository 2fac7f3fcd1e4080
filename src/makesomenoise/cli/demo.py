"""`msn demo`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Model, Seed, VocoderName


def demo(
    output: Annotated[Path, typer.Argument(help="Folder for the page.", show_default=False)],
    clips: Annotated[Path, typer.Option(help="Folder of sound files.")] = Path("demo_clips"),
    model: Model = "default",
    baseline: Annotated[str, typer.Option(help="Tokenizer to compare with.")] = "vqvae",
    vocoder: VocoderName = "default",
    seed: Seed = 0,
) -> None:
    """Build a page with each clip as it was, as we decode it, and as the baseline does."""
    from makesomenoise.evaluation.demo import build_page
    from makesomenoise.tokenizer.model import AudioTokenizer

    ours, theirs = (AudioTokenizer.load(name, vocoder) for name in (model, baseline))
    typer.echo(f"Open {build_page(clips, output, ours, theirs, seed)} in a browser.")
