"""`msn classify`."""

from dataclasses import asdict
from typing import Annotated

import typer

from makesomenoise.cli.labels import chosen
from makesomenoise.cli.listening import HeardOptions
from makesomenoise.cli.models import ListenerOptions
from makesomenoise.cli.options import Inputs
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results

Labels = Annotated[
    list[str] | None,
    typer.Option(help="Names to choose from: dog,rain,siren, or a text file of them; repeat it.", show_default=False),
]
LabelSet = Annotated[str | None, typer.Option(help="`esc50` or `urbansound8k` instead.", show_default=False)]
Top = Annotated[int, typer.Option(min=1, help="How many names to show.")]
Prior = Annotated[float, typer.Option(help="How much of what is said without a sound is subtracted.")]


def classify(
    inputs: Inputs,
    *,
    labels: Labels = None,
    label_set: LabelSet = None,
    top: Top = 5,
    prior: Prior = 0.5,
    heard: HeardOptions,
    models: ListenerOptions,
) -> None:
    """Rank names for sounds, with their probabilities.

    Sound files or .msn files, and names to choose from: `msn classify dog.wav --labels dog,rain,siren`.
    """
    names, results = chosen(labels or [], label_set), Results(heard.as_json)
    files = heard.found(inputs, models)
    with progress("Listening") as report:
        listener = models.load()
        told = lambda done: report(done, len(files))  # noqa: E731
        for found in listener.classify_each(files, names, heard.window, prior, heard.strict, told):
            file, best = files[found.number], found.labels[:top]
            if found.error is not None:
                results.fail(found.error, {"file": str(file)})
                continue
            lines = [f"{file}:"] if len(files) > 1 else []
            lines += [f"{100 * one.probability:5.1f} %  {one.label}" for one in best]
            results.tell(lines, {"file": str(file), "labels": [asdict(one) for one in best]})
    results.end()
