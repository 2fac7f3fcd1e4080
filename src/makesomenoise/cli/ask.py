"""`msn ask`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Device, Json, LanguageName, TokenizerName, Window
from makesomenoise.errors import RequestError

Words = Annotated[
    list[str], typer.Argument(metavar="FILES... QUESTION", help="Sound files, then a question.", show_default=False)
]


class AskError(RequestError):
    """A question that is about nothing; the message is one sentence for the user."""


def ask(
    words: Words,
    window: Window = None,
    as_json: Json = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
) -> None:
    """Ask about sounds: `msn ask rain.wav "What comes first?"`."""
    from makesomenoise.cli.hearing import Asked, load

    files, question = split(words)
    asked = Asked(question, "answer", window, as_json, also={"question": question})
    asked.show(load(model, tokenizer, device), files)


def split(words: list[str]) -> tuple[list[Path], str]:
    """The files and the question.

    Raises:
        AskError: if there is no file, or no question.
    """
    *files, question = words
    # Path.is_file fails where a question is too long for a name.
    if os.path.isfile(question) or not question.strip():  # noqa: PTH113
        raise AskError(f"No question after the files: msn ask {words[0]} 'What do you hear?'")
    if not files:
        raise AskError(f"No sound to ask about: name a file before the question, as in msn ask rain.wav '{question}'")
    return [Path(file) for file in files], question
