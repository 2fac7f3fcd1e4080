"""`msn demo`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Model, Seed, VocoderName


def demo(
    output: Annotated[Path, typer.Argument(help="Folder for the page.", show_default=False)],
    clips: Annotated[Path, typer.Option(help="Folder of sound files.")] = Path("demo_clips"),
    model: Model = "default",
    baseline: Annotated[str, typer.Option(help="Tokenizer to compare with, such as `vqvae`, or `none`.")] = "none",
    vocoder: VocoderName = "default",
    language: Annotated[
        str, typer.Option(help="Language model: a folder, `language`, `none` or a Hub id.")
    ] = "language",
    seed: Seed = 0,
) -> None:
    """Build a page: each clip as it was, as we decode it, as a baseline does, in words; and sounds made from text."""
    from makesomenoise.demo.page import NONE, build_page, find_speaker
    from makesomenoise.tokenizer.model import AudioTokenizer

    ours = AudioTokenizer.load(model, vocoder)
    theirs = None if baseline == NONE else AudioTokenizer.load(baseline, vocoder)
    page = build_page(clips, output, ours, theirs, seed, find_speaker(language, ours))
    typer.echo(f"Open {page} in a browser.")
