"""How the project's own errors are shown: the one sentence they are, and exit code 2."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import typer

from makesomenoise.errors import MakeSomeNoiseError

Piece = TypeVar("Piece")


def show(error: MakeSomeNoiseError) -> None:
    """Prints an error of the project."""
    typer.echo(f"msn: {error}", err=True)


def each(work: Iterable[Piece], do: Callable[[Piece], str]) -> None:
    """Does every piece of work and prints what comes of it; one that fails does not keep the others from being done.

    Raises:
        typer.Exit: with code 2 after the last piece, if any failed.
    """
    failed = False
    for piece in work:
        try:
            typer.echo(do(piece))
        except MakeSomeNoiseError as error:
            show(error)
            failed = True
    if failed:
        raise typer.Exit(2)
