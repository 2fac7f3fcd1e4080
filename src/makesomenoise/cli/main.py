"""`msn`: its commands."""

import logging
from typing import Annotated

import typer

from makesomenoise.cli import (
    ask,
    average,
    bench,
    caption,
    chat,
    classify,
    data,
    decode,
    demo,
    encode,
    evaluate,
    events,
    export,
    generate,
    go_on,
    info,
    merge,
    serve,
    train,
)
from makesomenoise.cli.errors import show_warnings
from makesomenoise.cli.parsing import HELP, Commands, parse_strictly

app = typer.Typer(
    cls=Commands,
    context_settings=HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text is a quarter of a second faster, and draws no frame through sentences
)


def _version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        typer.echo(f"makesomenoise {metadata.version('makesomenoise')}")
        raise typer.Exit


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what happens.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Any sound as 23 integers a second, and back."""
    show_warnings()
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="msn: %(message)s")


app.command()(encode.encode)
app.command()(decode.decode)
app.command()(info.info)
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")
app.command()(caption.caption)
app.command()(classify.classify)
app.command()(ask.ask)
app.command()(generate.generate)
app.command()(chat.chat)
app.command()(events.events)
app.command("continue")(go_on.continue_)
app.command()(serve.serve)
app.command()(merge.merge)
app.command()(average.average)
app.command()(bench.bench)
app.command()(demo.demo)
parse_strictly(app)
