"""Sound files and what a language model says of them, file by file: shared by the commands that listen."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from makesomenoise.cli.errors import show
from makesomenoise.errors import MakeSomeNoiseError

if TYPE_CHECKING:
    from makesomenoise.language.prompts import Sound
    from makesomenoise.pipeline import AudioLanguageModel

_AT_ONCE = 8


def load(model: str, tokenizer: str, device: str) -> "AudioLanguageModel":
    """A language model that only listens: no vocoder is read."""
    from makesomenoise.pipeline import AudioLanguageModel

    return AudioLanguageModel.load(model, tokenizer, "griffin-lim", device)


@dataclass
class Failures:
    """Shows errors of the project and goes on; remembers that there were some."""

    any: bool = field(default=False, init=False)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows an error that ends the context; a bug keeps its traceback."""
        try:
            yield
        except MakeSomeNoiseError as error:
            show(error)
            self.any = True

    def end(self) -> None:
        """Ends the command.

        Raises:
            typer.Exit: with code 2, if there were errors.
        """
        if self.any:
            raise typer.Exit(2)


Batch = list[tuple[Path, "Sound"]]


def heard(
    model: "AudioLanguageModel", files: Sequence[Path], question: str | None, failures: Failures
) -> Iterator[Batch]:
    """Several files at a time with their codes; shows why those are left out that cannot be used.

    Args:
        model: hears them.
        files: any sound files.
        question: that they must fit into the context with; none lets them be of any length.
        failures: remembers that files were left out.
    """
    from makesomenoise.language.listening import prompt_about

    for first in range(0, len(files), _AT_ONCE):
        batch: Batch = []
        for file in files[first : first + _AT_ONCE]:
            with failures.shown():
                sound = model.hear(file)
                if question is not None:
                    prompt_about(model.language, question, sound)
                batch.append((file, sound))
        yield batch


@dataclass(frozen=True)
class Asked:
    """What is asked about sound files, and how the answers are shown.

    Attributes:
        question: about each.
        name: what the answer is called in JSON.
        window: length of the windows that are answered one by one, seconds.
        as_json: show JSON documents, one a line.
        also: what stands in JSON beside the answer.
    """

    question: str
    name: str
    window: float | None
    as_json: bool
    also: dict[str, str] = field(default_factory=dict)

    def show(self, model: "AudioLanguageModel", files: Sequence[Path]) -> None:
        """Answers about all files; one that fails does not keep the others from being answered.

        Raises:
            typer.Exit: with code 2 after the last file, if any failed.
        """
        failures = Failures()
        if self.window is not None:
            for file in files:
                with failures.shown():
                    self._in_windows(model, file, len(files) > 1)
        elif len(files) == 1 and not self.as_json:
            with failures.shown():
                self._streamed(model, files[0])
        else:
            for batch in heard(model, files, self.question, failures):
                self._together(model, batch)
        failures.end()

    def _streamed(self, model: "AudioLanguageModel", file: Path) -> None:
        for piece in model.stream_answer(file, self.question):
            typer.echo(piece, nl=False)
        typer.echo()

    def _in_windows(self, model: "AudioLanguageModel", file: Path, several: bool) -> None:
        for found in model.answer_windows(file, self.window or 0.0, self.question):
            if self.as_json:
                self._json(file, found.text, start=round(found.start, 3), end=round(found.end, 3))
            else:
                typer.echo(f"{f'{file}: ' if several else ''}{found.start:.1f}-{found.end:.1f} s: {found.text}")

    def _together(self, model: "AudioLanguageModel", batch: "Batch") -> None:
        texts = model.answer([sound for _, sound in batch], self.question)
        for (file, _), text in zip(batch, texts, strict=True):
            if self.as_json:
                self._json(file, text)
            else:
                typer.echo(f"{file}: {text}")

    def _json(self, file: Path, text: str, **more: float) -> None:
        typer.echo(json.dumps({"file": str(file), **self.also, **more, self.name: text}))
