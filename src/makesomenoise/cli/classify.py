"""`msn classify`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Device, Inputs, Json, LanguageName, Strict, TokenizerName, Window

if TYPE_CHECKING:
    from makesomenoise.language.naming import Ranked

Labels = Annotated[
    list[str] | None,
    typer.Option(help="Names to choose from: dog,rain,siren, or a text file of them; repeat it.", show_default=False),
]
LabelSet = Annotated[str | None, typer.Option(help="`esc50` or `urbansound8k` instead.", show_default=False)]
Top = Annotated[int, typer.Option(min=1, help="How many names to show.")]
Prior = Annotated[float, typer.Option(help="How much of what is said without a sound is subtracted.")]


def classify(  # noqa: PLR0913 - each is an option
    files: Inputs,
    *,
    labels: Labels = None,
    label_set: LabelSet = None,
    top: Top = 5,
    prior: Prior = 0.5,
    window: Window = None,
    as_json: Json = False,
    strict: Strict = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
) -> None:
    """Rank names for sounds, with their probabilities: `msn classify dog.wav --labels dog,rain,siren`."""
    from makesomenoise.cli.labels import chosen

    names = chosen(labels or [], label_set)
    from makesomenoise.cli.hearing import Failures, heard, load
    from makesomenoise.language import wording

    failures = Failures()
    listener, question = load(model, tokenizer, device), None if window is not None else wording.CLASSIFY
    for batch in heard(listener, files, question, failures, strict):
        ranked = listener.classify([sound for _, sound in batch], names, window, prior)
        for (file, _), names_of_it in zip(batch, ranked, strict=True):
            show(file, names_of_it[:top], len(files) > 1, as_json)
    failures.end()


def show(file: Path, ranked: "list[Ranked]", several: bool, as_json: bool) -> None:
    """Prints the names of a file, the likeliest first."""
    if as_json:
        rows = [asdict(one) for one in ranked]
        typer.echo(json.dumps({"file": str(file), "labels": rows}))
        return
    if several:
        typer.echo(f"{file}:")
    for one in ranked:
        typer.echo(f"{100 * one.probability:5.1f} %  {one.label}")
