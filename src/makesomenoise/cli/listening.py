"""What a language model says of sound files or of their windows: shared by `msn caption` and `msn ask`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, Values, check_models, check_some_are_there

if TYPE_CHECKING:
    from makesomenoise.language.listening import Answer
    from makesomenoise.pipeline import AudioLanguageModel


def load(model: str, tokenizer: str, device: str, engine: str) -> "AudioLanguageModel":
    """A language model that only listens: no vocoder is read."""
    from makesomenoise.pipeline import AudioLanguageModel

    return AudioLanguageModel.load(model, tokenizer, "griffin-lim", device, engine)


@dataclass(frozen=True)
class Listener:
    """Asks a language model about files.

    Attributes:
        files: what is asked about.
        window: length of the windows that are answered one by one, seconds.
        as_json: show JSON documents, one a line.
        model: name of the language model.
        tokenizer: name of its tokenizer.
        device: where both compute.
        engine: what runs them.
        name: what an answer is called in JSON.
        also: what stands in JSON beside the answer.
        strict: refuse files of which something is missing.
    """

    files: Sequence[Path]
    window: float | None
    as_json: bool
    model: str
    tokenizer: str
    device: str
    engine: str
    name: str
    also: Values = field(default_factory=dict)
    strict: bool = False

    def ask(self, question: str) -> None:
        """Shows an answer about each file, or about each of its windows.

        Raises:
            typer.Exit: with code 2 after the last file, if there was none about some.
        """
        check_some_are_there(self.files)
        check_models(self.model, self.tokenizer)
        results = Results(self.as_json)
        with progress("Listening") as report:
            model = load(self.model, self.tokenizer, self.device, self.engine)
            for answer in model.ask_each(self.files, question, self.window, strict=self.strict):
                self._show(results, answer)
                report(answer.number + 1, len(self.files))
        results.end()

    def _show(self, results: Results, answer: "Answer") -> None:
        file = self.files[answer.number]
        document: Values = {"file": str(file), **self.also}
        line = f"{file}: " if len(self.files) > 1 else ""
        if answer.error is not None:
            results.fail(answer.error, document)
            return
        if answer.start is not None and answer.end is not None:
            document |= {"start": round(answer.start, 3), "end": round(answer.end, 3)}
            line += f"{answer.start:.1f}-{answer.end:.1f} s: "
        results.tell(line + answer.text, {**document, self.name: answer.text})
