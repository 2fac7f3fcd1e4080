"""`msn encode`."""

from typing import Annotated

import typer

from makesomenoise.cli.inputs import find
from makesomenoise.cli.options import Device, EngineChoice, Force, Inputs, Model, Output, Quiet, Strict
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, check_models, check_some_are_there

Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Of folders, also the folders in them.")]


def encode(  # noqa: PLR0913 - each is an option
    inputs: Inputs,
    output: Output,
    *,
    recursive: Recursive = False,
    force: Force = False,
    strict: Strict = False,
    model: Model = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
    quiet: Quiet = False,
) -> None:
    """Turn sound files into .msn files.

    One file, or several or a folder into a folder: `msn encode rain.wav rain.msn`, `msn encode sounds codes/`. Without
    --force only codes are replaced, by new ones.
    """
    found = find(inputs, recursive)
    check_some_are_there(found.files)
    check_models(model)
    from makesomenoise.cli.targets import CODE_FILES, plan

    work = plan(found.files, output, CODE_FILES, force, found.names if found.from_folder else None)
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    results = Results(quiet=quiet, aloud=work.aloud, failed=work.refused)
    with progress("Encoding", quiet) as report:
        tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device, engine=engine)
        for done, (source, target) in enumerate(work.pairs):
            report(done, len(work.pairs))
            with results.of(source):
                written = encode_file(tokenizer, source, target, strict)
                line = f"{target}: {written.seconds:.2f} s, {len(written.codes)} codes, {written.file_bytes} bytes"
                results.note(line, {})
    results.end()
