"""`msn classify`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Device, Inputs, Json, LanguageName, TokenizerName, Window
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.naming import Ranked

Labels = Annotated[str | None, typer.Option(help="Names to choose from: dog,rain,siren.", show_default=False)]
LabelSet = Annotated[str | None, typer.Option(help="`esc50` or `urbansound8k` instead.", show_default=False)]
Top = Annotated[int, typer.Option(min=1, help="How many names to show.")]
Prior = Annotated[float, typer.Option(help="How much of what is said without a sound is subtracted.")]


class LabelsError(RequestError):
    """Labels that cannot be used; the message is one sentence for the user."""


def classify(  # noqa: PLR0913 - each is an option
    files: Inputs,
    *,
    labels: Labels = None,
    label_set: LabelSet = None,
    top: Top = 5,
    prior: Prior = 0.5,
    window: Window = None,
    as_json: Json = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
) -> None:
    """Rank names for sounds, with their probabilities: `msn classify dog.wav --labels dog,rain,siren`."""
    from makesomenoise.cli.hearing import Failures, heard, load
    from makesomenoise.language import wording

    names, failures = chosen(labels, label_set), Failures()
    listener, question = load(model, tokenizer, device), None if window is not None else wording.CLASSIFY
    for batch in heard(listener, files, question, failures):
        ranked = listener.classify([sound for _, sound in batch], names, window, prior)
        for (file, _), names_of_it in zip(batch, ranked, strict=True):
            show(file, names_of_it[:top], len(files) > 1, as_json)
    failures.end()


def chosen(labels: str | None, label_set: str | None) -> list[str]:
    """The names to choose from.

    Raises:
        LabelsError: if neither or both ways of giving them are used, or the set is unknown.
        LanguageError: if a label is empty or there twice.
    """
    from makesomenoise.language.labels import LABEL_SETS
    from makesomenoise.language.naming import checked_labels

    if (labels is None) == (label_set is None):
        raise LabelsError("Give the names to choose from either with --labels dog,rain,siren or with --label-set.")
    if labels is not None:
        return checked_labels(labels.split(","))
    if label_set not in LABEL_SETS:
        raise LabelsError(f"No label set '{label_set}': there are {', '.join(LABEL_SETS)}.")
    return list(LABEL_SETS[label_set])


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
