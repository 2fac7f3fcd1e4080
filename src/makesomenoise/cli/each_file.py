"""A file made of each input: which inputs, where to, one after the other, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.cli.inputs import Wanted, find
from makesomenoise.cli.options import Force, Json, LeaveOut, Options, Quiet, Recursive
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, Values
from makesomenoise.cli.targets import Kind, Work, plan
from makesomenoise.errors import MakeSomeNoiseError


@dataclass(frozen=True)
class FileOptions(Options):
    """What is done with files, in whatever command."""

    recursive: Recursive = False
    resume: LeaveOut = False
    force: Force = False
    as_json: Json = False
    quiet: Quiet = False


@dataclass(frozen=True)
class Made:
    """What was made of an input.

    Attributes:
        line: says it, without the name of the output; nothing where it is empty.
        document: what stands in JSON beside the names of input and output.
    """

    line: str
    document: Values


Make = Callable[[Path, Path, Callable[[float], object]], Made]


@dataclass(frozen=True)
class EachFile:
    """Work that makes a file of each input.

    Attributes:
        what: is done, as in `Encoding`.
        wanted: which files of a folder are inputs.
        kind: of the outputs.
        options: what is done with files.
    """

    what: str
    wanted: Wanted
    kind: Kind
    options: FileOptions

    def run(self, inputs: Sequence[Path], output: str, load: Callable[[], Make]) -> None:
        """Does the work.

        Args:
            inputs: files and folders.
            output: see `targets.plan`.
            load: reads what is needed, once it is known that there is something to be done, and gives what makes a
                file: it takes input and output, and tells how much of it is done, 0 to 1.

        Raises:
            typer.Exit: with code 2 after the last input, if something failed.
            MakeSomeNoiseError: if nothing can be done at all.
        """
        results = Results(self.options.as_json, self.options.quiet)
        work = self._planned(results, inputs, output)
        total = len(work.pairs)
        if total:
            with progress(self.what, self.options.quiet) as report:
                make = load()
                for done, (source, target) in enumerate(work.pairs):
                    report(done, total)
                    with results.of(source):
                        made = make(source, target, lambda share, done=done: report(done + share, total))
                        names = {"file": str(source), "output": str(target)}
                        results.note(f"{target}: {made.line}" if made.line else "", {**names, **made.document})
        results.end()

    def _planned(self, results: Results, inputs: Sequence[Path], output: str) -> Work:
        found = find(inputs, self.options.recursive, self.wanted)
        results.check_some_are_there(found.files)
        names = found.names if found.from_folder else None
        try:
            work = plan(found.files, output, self.kind, self.options.force, names, self.options.resume)
        except MakeSomeNoiseError as error:
            if len(found.files) > 1:
                raise
            results.fail(error, {"file": str(found.files[0])})
            results.end()
            raise
        results.aloud = work.aloud
        for source, error in work.refused:
            results.fail(error, {"file": str(source)})
        return work
