"""`msn bench`."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Json, Model, VocoderName

Engines = Annotated[
    list[str] | None,
    typer.Option("--engine", help="`onnx` or `torch`; repeat it. All that are installed, if none is given."),
]
Language = Annotated[str, typer.Option(help="Language model: a folder, `language` or a Hub id; `none` leaves it out.")]
Folder = Annotated[Path | None, typer.Option("--output", help="Folder for results.json and results.md.")]


def bench(  # noqa: PLR0913, PLR0917 - each is an option
    model: Model = "default",
    vocoder: VocoderName = "default",
    language: Language = "language",
    engines: Engines = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of the sound that is coded.")] = 30.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    others: Annotated[bool, typer.Option("--others", help="Also time EnCodec, DAC and Mimi (transformers).")] = False,
    output: Folder = None,
    as_json: Json = False,
) -> None:
    """Time starts, coding, captions and made sounds on this machine, and how much memory they take."""
    import json
    from dataclasses import asdict

    from makesomenoise.evaluation.speed_report import SpeedInputs, measure_speed, to_markdown, write_report

    installed = ["onnx", "torch"] if importlib.util.find_spec("torch") else ["onnx"]
    given = tuple(engines or installed)
    spoken = None if language == "none" else language
    report = measure_speed(SpeedInputs(model, vocoder, spoken, given, seconds, threads, others))
    if output is not None:
        write_report(report, output)
    typer.echo(json.dumps(asdict(report)) if as_json else to_markdown(report), nl=as_json)
