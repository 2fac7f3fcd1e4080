"""`msn`: the commands, and how their errors are shown."""

import logging
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

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
    export,
    generate,
    info,
    merge,
    train,
)
from makesomenoise.cli.errors import show
from makesomenoise.errors import MakeSomeNoiseError


class Commands(TyperGroup):
    """Shows our own errors as the one sentence they are and exits with code 2; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that was asked for."""
        try:
            return super().invoke(ctx)
        except MakeSomeNoiseError as error:
            show(error)
            raise typer.Exit(2) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what happens.")] = False,
) -> None:
    """Any sound as 23 integers a second, and back."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s")


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
app.command()(merge.merge)
app.command()(average.average)
app.command()(bench.bench)
app.command()(demo.demo)
