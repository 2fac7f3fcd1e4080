"""`msn chat`."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.errors import show
from makesomenoise.cli.models import SpeakerOptions
from makesomenoise.cli.options import Json, Seed
from makesomenoise.errors import MakeSomeNoiseError, RequestError
from makesomenoise.files import check_writable, is_folder

if TYPE_CHECKING:
    from makesomenoise.pipeline import Chat

HELP = """\
Say something, or ask for a sound: "Make the sound of rain", "Play me ten seconds of thunder".
/audio FILE attaches a sound, /reset starts anew, /help shows this, /quit ends."""
Folder = Annotated[Path, typer.Option("--folder", help="Where sounds are saved as sound-1.wav, sound-2.wav, ...")]


class ChatError(RequestError):
    """Something that cannot be said; the message is one sentence for the user."""


def chat(
    folder: Folder = Path(),
    seed: Seed = 0,
    as_json: Json = False,
    *,
    models: SpeakerOptions,
) -> None:
    """Talk about sounds and have some made.

    Line by line: `msn chat`, or with lines from a file or pipe.
    """
    if not is_folder(folder):
        raise ChatError(f"Cannot save sounds in {folder}: give an existing folder.")
    check_writable(folder / "sound-1.wav")
    models.check()
    if not as_json:
        typer.echo(HELP, err=True)
    speaker, failed = models.load(), False
    talk = Talk(speaker.chat(seed), folder, speaker.tokenizer.sample_rate, as_json)
    for line in lines():
        if line.strip() == "/quit":
            break
        try:
            talk.take(line.strip())
        except MakeSomeNoiseError as error:
            show(error)
            failed = True
    if failed:
        raise typer.Exit(2)


def lines() -> Iterator[str]:
    """What is typed, with a prompt for it, or what comes through a pipe; bytes that are no text end nothing."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    while True:
        try:
            yield input("> ")
        except (EOFError, KeyboardInterrupt):
            typer.echo()
            return


@dataclass
class Talk:
    """A conversation on a terminal.

    Attributes:
        chat: the conversation.
        folder: where sounds are saved.
        sample_rate: of the sounds, Hz.
        as_json: print a reply as one JSON document.
    """

    chat: "Chat"
    folder: Path
    sample_rate: int
    as_json: bool
    _texts: list[str] = field(default_factory=list, init=False)
    _files: list[str] = field(default_factory=list, init=False)

    def take(self, line: str) -> None:
        """Does what a line says; an empty one says nothing.

        Raises:
            ChatError: if it is a command that does not exist.
            AudioError: if a sound cannot be read or written.
            LanguageError: if the context is full.
        """
        command, _, rest = line.partition(" ")
        if command == "/audio":
            self._attach(rest.strip())
        elif command == "/help":
            typer.echo(HELP, err=True)
        elif command == "/reset":
            self.chat.reset()
        elif command.startswith("/"):
            raise ChatError(f"There is no command {command}: there are /audio FILE, /reset, /help and /quit.")
        elif line:
            self._say(line)

    def _attach(self, name: str) -> None:
        if not name:
            raise ChatError("Name the file to attach: /audio FILE")
        self.chat.attach(Path(name).expanduser())
        self._note(f"[attached {name}]")

    def _say(self, text: str) -> None:
        from makesomenoise.audio.io import save

        self._texts, self._files = [], []
        for part in self.chat.say(text):
            if isinstance(part, str):
                self._texts.append(part)
                self._note(part, end=False)
            else:
                path = self._free()
                save(path, part, self.sample_rate)
                self._files.append(str(path))
                self._note(f"[{path}: {len(part) / self.sample_rate:.2f} s]", end=False)
        self._note("")
        if self.as_json:
            typer.echo(json.dumps({"text": "".join(self._texts).strip(), "sounds": self._files}))

    def _note(self, text: str, end: bool = True) -> None:
        if not self.as_json:
            typer.echo(text, nl=end)

    def _free(self) -> Path:
        """The first name that no file has, after those given before."""
        number = 1
        while (path := self.folder / f"sound-{number}.wav").exists():
            number += 1
        return path
