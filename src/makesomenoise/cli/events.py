"""`msn events`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.each_file import EachFile, FileOptions, Made, Make
from makesomenoise.cli.inputs import HEARD
from makesomenoise.cli.models import ListenerOptions
from makesomenoise.cli.options import Inputs, Strict
from makesomenoise.cli.targets import STANDARD, Kind
from makesomenoise.errors import RequestError

SUFFIXES = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "audacity": ".labels.txt"}
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(SUFFIXES)}.")]
Target = Annotated[str, typer.Option("--output", "-o", help="A file, `-`, or a folder for one file per input.")]
Seconds = Annotated[float, typer.Option("--window", min=0.05, help="Length of the windows, seconds.")]


def events(
    inputs: Inputs,
    *,
    form: Format = "text",
    output: Target = STANDARD,
    window: Seconds = 5.0,
    strict: Strict = False,
    files: FileOptions,
    models: ListenerOptions,
) -> None:
    """Say what is heard when, in files of any length: `msn events day.wav --format srt -o day.srt`."""
    if form not in SUFFIXES:
        raise RequestError(f"Unknown format '{form}': give one of {', '.join(SUFFIXES)}.")
    models.check()

    def load() -> Make:
        from makesomenoise.language.events import FORMATS

        listener = models.load()

        def make(source: Path, target: Path, report) -> Made:
            found = listener.events(source, window, strict, report)
            shown = str(target) == STANDARD
            if not (shown and files.as_json):
                write(FORMATS[form](found), target)
            return Made("" if shown else f"{len(found)} events", {"events": [asdict(event) for event in found]})

        return make

    names = tuple(dict.fromkeys((SUFFIXES[form], Path(SUFFIXES[form]).suffix)))
    EachFile("Listening", HEARD, Kind(form, names, strict=False, is_text=True), files).run(inputs, output, load)


def write(text: str, target: Path) -> None:
    """Prints a text, or writes it to a file that is whole or absent."""
    from makesomenoise.files import write_text

    if str(target) == STANDARD:
        typer.echo(text, nl=False)
    else:
        write_text(target, text)
