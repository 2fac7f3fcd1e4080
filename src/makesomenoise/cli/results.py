"""What comes of each input of a command: a line or a JSON document, and the exit code at the end."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from makesomenoise.cli.errors import show
from makesomenoise.cli.terminal import tell
from makesomenoise.errors import MakeSomeNoiseError, RequestError

Values = dict[str, Any]


@dataclass
class Results:
    """Prints what comes of inputs; one that fails does not keep the others from being worked on.

    Attributes:
        as_json: print JSON documents, one a line, also of what failed.
        quiet: print no lines about files that were written.
        aloud: standard output is free for messages, and not what is written to.
        failed: whether something did.
    """

    as_json: bool = False
    quiet: bool = False
    aloud: bool = True
    failed: bool = False

    def tell(self, lines: str | Sequence[str], document: Values) -> None:
        """Prints an answer of a line, or of several."""
        lines = [lines] if isinstance(lines, str) else lines
        for line in [json.dumps(document)] if self.as_json else lines:
            tell(line, self.aloud)

    def note(self, line: str, document: Values) -> None:
        """Prints what was done, unless there is nothing to say of it, or nobody wants to know."""
        if self.as_json or (line and not self.quiet):
            self.tell(line, document)

    def fail(self, error: MakeSomeNoiseError, document: Values) -> None:
        """Shows why nothing came of an input, by its name.

        Args:
            error: the reason.
            document: what is known of the input, `file` at least.
        """
        name, sentence = str(document["file"]), str(error)
        show(sentence if name in sentence else f"{name}: {sentence}")
        if self.as_json:
            tell(json.dumps({**document, "error": sentence}), self.aloud)
        self.failed = True

    @contextmanager
    def of(self, name: str | Path) -> Iterator[None]:
        """Work on an input; an error of the project ends it and is shown, a bug keeps its traceback."""
        try:
            yield
        except MakeSomeNoiseError as error:
            self.fail(error, {"file": str(name)})

    def check_some_are_there(self, files: Sequence[Path]) -> None:
        """Ends a command none of whose files can be read, before anything heavy is loaded.

        Raises:
            typer.Exit: with code 2, after what is wrong with each was shown.
        """
        wrong = [reason for file in files if (reason := _unreadable(file))]
        if len(wrong) == len(files):
            for file, sentence in zip(files, wrong, strict=True):
                self.fail(RequestError(sentence), {"file": str(file)})
            self.end()

    def end(self) -> None:
        """Ends the command.

        Raises:
            typer.Exit: with code 2, if something failed.
        """
        if self.failed:
            raise typer.Exit(2)


def _unreadable(file: Path) -> str | None:
    if str(file) == "-":
        return None
    try:
        if file.is_dir():
            return f"Cannot read {file}: it is a folder; give a sound file."
        return None if file.exists() else f"Cannot read {file}: No such file or directory."
    except OSError as error:
        return f"Cannot read {file}: {error.strerror}."
