"""`msn encode`."""

from makesomenoise.cli.options import Device, Force, Inputs, Model, Output, Quiet, Strict
from makesomenoise.cli.results import Results, check_some_are_there


def encode(
    inputs: Inputs,
    output: Output,
    *,
    force: Force = False,
    strict: Strict = False,
    model: Model = "default",
    device: Device = "cpu",
    quiet: Quiet = False,
) -> None:
    """Turn sound files into .msn files.

    One file, or several into a folder: `msn encode rain.wav rain.msn`. Without --force only codes are replaced, by new
    ones.
    """
    check_some_are_there(inputs)
    from makesomenoise.cli.targets import CODE_FILES, plan

    work = plan(inputs, output, CODE_FILES, force)
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device)
    results = Results(quiet=quiet, aloud=work.aloud, failed=work.refused)
    for source, target in work.pairs:
        with results.of(source):
            written = encode_file(tokenizer, source, target, strict)
            line = f"{target}: {written.seconds:.2f} s, {len(written.codes)} codes, {written.file_bytes} bytes"
            results.note(line, {})
    results.end()
