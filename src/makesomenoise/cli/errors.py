"""How errors that are meant for users are shown: the one sentence they are, and exit code 2."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from makesomenoise.cli.extras import missing
from makesomenoise.errors import MakeSomeNoiseError
from makesomenoise.files import printable

# What parsing raises; typer gives it no public name of its own.
UsageError = typer.BadParameter.__mro__[1]


def show(error: object) -> None:
    """Prints an error of the project."""
    typer.echo(f"msn: {printable(str(error))}", err=True)


def show_warnings() -> None:
    """Prints every warning of the project as one sentence from now on, others as Python does."""
    usual = warnings.showwarning

    def shown(message: Warning | str, category: type[Warning], *where, **more) -> None:
        if category.__module__.startswith("makesomenoise."):
            show(message)
        else:
            usual(message, category, *where, **more)

    warnings.showwarning = shown
    warnings.filterwarnings("always", module="makesomenoise")


@contextmanager
def told(command: Callable[[], str]) -> Iterator[None]:
    """Shows an error that ends the context, and ends the command; a bug keeps its traceback.

    Args:
        command: gives the words that were typed, `msn encode`.

    Raises:
        typer.Exit: with code 2, after an error that was shown.
    """
    try:
        yield
    except MakeSomeNoiseError as error:
        show(error)
    except UsageError as error:  # pyright: ignore[reportGeneralTypeIssues] - a class, if no constant one
        path = error.ctx.command_path if error.ctx else command()
        show(f"{error.format_message().rstrip('.')}; `{path} --help` tells what can be given.")
    except ModuleNotFoundError as error:
        sentence = missing(error, command())
        if sentence is None:
            raise
        show(sentence)
    else:
        return
    raise typer.Exit(2) from None
