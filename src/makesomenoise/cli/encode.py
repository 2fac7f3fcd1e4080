"""`msn encode`."""

from makesomenoise.cli.options import Device, Inputs, Model, Output


def encode(inputs: Inputs, output: Output, model: Model = "default", device: Device = "cpu") -> None:
    """Turn sound files into .msn files: `msn encode rain.wav rain.msn`."""
    import typer

    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    work = pairs(inputs, output, ".msn")
    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device)
    for source, target in work:
        written = encode_file(tokenizer, source, target)
        size = target.stat().st_size
        typer.echo(f"{target}: {written.seconds:.2f} s, {len(written.codes)} codes, {size} bytes")
