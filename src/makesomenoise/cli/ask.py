"""`msn ask`."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.listening import Asking, HeardOptions
from makesomenoise.cli.models import ListenerOptions
from makesomenoise.errors import RequestError
from makesomenoise.files import is_folder

Words = Annotated[
    list[str], typer.Argument(metavar="FILES... QUESTION", help="Sound files and a question.", show_default=False)
]

_NAME = re.compile(r"\S*\.[A-Za-z0-9]{2,5}")


class AskError(RequestError):
    """A question that is about nothing; the message is one sentence for the user."""


def ask(words: Words, *, heard: HeardOptions, models: ListenerOptions) -> None:
    """Ask about sounds.

    Sound files or .msn files, and a question: `msn ask rain.wav "What comes first?"`.
    """
    files, question = split(words)
    Asking("answer", {"question": question}).about(files, question, heard, models)


def split(words: list[str]) -> tuple[list[Path], str]:
    """The files and the question, whichever comes first.

    Raises:
        AskError: if there is no file, or no question.
    """
    spoken = any(len(word.split()) > 1 and not is_file_name(word) for word in words)
    # A word may be the name of a folder by chance; beside a question in quotes it is one.
    files = [word for word in words if is_file_name(word) or (spoken and is_folder(word))]
    rest = [word for word in words if word not in files]
    quoted = [word for word in rest if len(word.split()) > 1]
    question = quoted[0] if len(quoted) == 1 else " ".join(rest).strip()
    if not question:
        raise AskError(f"No question about {words[0]}: msn ask {words[0]} 'What do you hear?'")
    if len(quoted) > 1:
        raise AskError(f"Ask one question at a time; got '{quoted[0]}' and '{quoted[1]}'.")
    unknown = [word for word in rest if quoted and word != question]
    if unknown:
        raise AskError(f"No such file: '{unknown[0]}'; give files, and a question in quotes.")
    if not files:
        raise AskError(f"No sound to ask about: name a file beside the question, as in msn ask rain.wav '{question}'")
    return [Path(file) for file in files], question


def is_file_name(word: str) -> bool:
    """Whether a word names a file: one that is there, a pipe, or what looks like the name of one."""
    # Path.exists fails where a question is too long for a name.
    there = os.path.exists(word) and not is_folder(word)  # noqa: PTH110
    return word == "-" or there or bool(_NAME.fullmatch(word))
