"""`msn encode`."""

from pathlib import Path

from makesomenoise.cli.options import Device, Force, Inputs, Model, Output, Strict


def encode(
    inputs: Inputs,
    output: Output,
    *,
    force: Force = False,
    strict: Strict = False,
    model: Model = "default",
    device: Device = "cpu",
) -> None:
    """Turn sound files into .msn files: `msn encode rain.wav rain.msn`.

    Without --force only codes are replaced, by new ones.
    """
    from makesomenoise.cli.targets import CODE_FILES, plan

    work = plan(inputs, output, CODE_FILES, force)
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device)

    def one(source: Path, target: Path) -> str:
        written = encode_file(tokenizer, source, target, strict=strict)
        return f"{target}: {written.seconds:.2f} s, {len(written.codes)} codes, {written.file_bytes} bytes"

    work.each(one)
