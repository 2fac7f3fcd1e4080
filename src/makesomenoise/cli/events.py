"""`msn events`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Device, EngineChoice, Force, Inputs, LanguageName, TokenizerName
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.events import Event
    from makesomenoise.pipeline import AudioLanguageModel

SUFFIXES = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt", "audacity": ".labels.txt"}
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(SUFFIXES)}.")]
Target = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A file, or a folder for one file per input.", show_default=False),
]
Resume = Annotated[bool, typer.Option("--resume", help="Leave out files whose output is there already.")]
Seconds = Annotated[float, typer.Option("--window", min=0.05, help="Length of the windows, seconds.")]


def events(  # noqa: PLR0913 - each is an option
    files: Inputs,
    *,
    form: Format = "text",
    output: Target = None,
    window: Seconds = 5.0,
    resume: Resume = False,
    force: Force = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Say what is heard when, in files of any length: `msn events day.wav --format srt -o day.srt`."""
    from makesomenoise.cli.sources import each, pieces
    from makesomenoise.cli.targets import Kind
    from makesomenoise.language.events import FORMATS
    from makesomenoise.pipeline import AudioLanguageModel

    if form not in SUFFIXES:
        raise RequestError(f"Unknown format '{form}': give one of {', '.join(SUFFIXES)}.")
    names = dict.fromkeys((SUFFIXES[form], Path(SUFFIXES[form]).suffix))
    work = pieces(files, output, Kind(form, tuple(names), strict=False), resume, force)
    if work:  # no vocoder is needed
        listener = AudioLanguageModel.load(model, tokenizer, "griffin-lim", device, engine)
        each(work, lambda piece: written(FORMATS[form](heard_when(listener, piece.source, window)), piece.target))


def heard_when(listener: "AudioLanguageModel", source: Path, window: float) -> "list[Event]":
    """What is heard when in a file, or in what comes through standard input."""
    from makesomenoise.language import wording
    from makesomenoise.language.events import joined
    from makesomenoise.language.listening import answer_windows

    return joined(answer_windows(listener.language, listener.hear(source), wording.CAPTION, window))


def written(text: str, target: Path | None) -> None:
    """Prints a text, or writes it to a file that is whole or absent."""
    from makesomenoise import files

    if target is None:
        typer.echo(text, nl=False)
        return
    files.write_text(target, text)
    typer.echo(str(target), err=True)
