"""`msn ask`."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.listening import Listener
from makesomenoise.cli.options import Device, EngineChoice, Json, LanguageName, Strict, TokenizerName, Window
from makesomenoise.errors import RequestError
from makesomenoise.files import is_folder

Words = Annotated[
    list[str], typer.Argument(metavar="FILES... QUESTION", help="Sound files and a question.", show_default=False)
]

_NAME = re.compile(r"\S*\.[A-Za-z0-9]{2,5}")


class AskError(RequestError):
    """A question that is about nothing; the message is one sentence for the user."""


def ask(
    words: Words,
    window: Window = None,
    as_json: Json = False,
    strict: Strict = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Ask about sounds.

    Sound files or .msn files, and a question: `msn ask rain.wav "What comes first?"`.
    """
    files, question = split(words)
    also = {"question": question}
    Listener(files, window, as_json, model, tokenizer, device, engine, "answer", also, strict).ask(question)


def split(words: list[str]) -> tuple[list[Path], str]:
    """The files and the question, whichever comes first.

    Raises:
        AskError: if there is no file, or no question.
    """
    files = [word for word in words if is_file_name(word)]
    rest = [word for word in words if not is_file_name(word)]
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
