"""What a language model says of sound files or of their windows: shared by `msn caption` and `msn ask`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from makesomenoise.cli.inputs import HEARD, find
from makesomenoise.cli.models import ListenerOptions
from makesomenoise.cli.options import Json, Options, Recursive, Strict, Window
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, Values

if TYPE_CHECKING:
    from makesomenoise.language.listening import Answer


@dataclass(frozen=True)
class HeardOptions(Options):
    """How files are heard and what is shown of them."""

    window: Window = None
    recursive: Recursive = False
    as_json: Json = False
    strict: Strict = False

    def found(self, inputs: Sequence[Path], models: ListenerOptions) -> list[Path]:
        """The files that are to be heard; ends the command where none can be, before anything heavy is loaded."""
        files = find(inputs, self.recursive, HEARD).files
        Results(self.as_json).check_some_are_there(files)
        models.check()
        return files


@dataclass(frozen=True)
class Asking:
    """Asks a language model about files.

    Attributes:
        name: what an answer is called in JSON.
        also: what stands in JSON beside the answer.
    """

    name: str
    also: Values

    def about(self, inputs: Sequence[Path], question: str, heard: HeardOptions, models: ListenerOptions) -> None:
        """Shows an answer about each file, or about each of its windows.

        Raises:
            typer.Exit: with code 2 after the last file, if there was none about some.
        """
        files, results = heard.found(inputs, models), Results(heard.as_json)
        with progress("Listening") as report:
            model = models.load()
            told = lambda done: report(done, len(files))  # noqa: E731
            for answer in model.ask_each(files, question, heard.window, strict=heard.strict, report=told):
                self._show(results, answer, files)
        results.end()

    def _show(self, results: Results, answer: "Answer", files: list[Path]) -> None:
        file = files[answer.number]
        document: Values = {"file": str(file), **self.also}
        line = f"{file}: " if len(files) > 1 else ""
        if answer.error is not None:
            results.fail(answer.error, document)
            return
        if answer.start is not None and answer.end is not None:
            document |= {"start": round(answer.start, 3), "end": round(answer.end, 3)}
            line += f"{answer.start:.1f}-{answer.end:.1f} s: "
        results.tell(line + answer.text, {**document, self.name: answer.text})
