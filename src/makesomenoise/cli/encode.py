"""`msn encode`."""

from makesomenoise.cli.options import Device, Inputs, Model, Output, Quiet
from makesomenoise.cli.results import Results, check_some_are_there


def encode(
    inputs: Inputs, output: Output, model: Model = "default", device: Device = "cpu", quiet: Quiet = False
) -> None:
    """Turn sound files into .msn files.

    One file, or several into a folder: `msn encode rain.wav rain.msn`.
    """
    check_some_are_there(inputs)
    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    work = pairs(inputs, output, ".msn")
    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device)
    results = Results(quiet=quiet)
    for source, target in work:
        with results.of(source):
            written = encode_file(tokenizer, source, target)
            line = f"{target}: {written.seconds:.2f} s, {len(written.codes)} codes, {target.stat().st_size} bytes"
            results.note(line, {})
    results.end()
