"""`msn encode`."""

from pathlib import Path

from makesomenoise.cli.options import Device, EngineChoice, Inputs, Model, Output


def encode(
    inputs: Inputs, output: Output, model: Model = "default", device: Device = "cpu", engine: EngineChoice = "auto"
) -> None:
    """Turn sound files into .msn files: `msn encode rain.wav rain.msn`."""
    from makesomenoise.cli.errors import each
    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.files import encode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    work = pairs(inputs, output, ".msn")
    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim", device=device, engine=engine)

    def one(paths: tuple[Path, Path]) -> str:
        written = encode_file(tokenizer, *paths)
        return f"{paths[1]}: {written.seconds:.2f} s, {len(written.codes)} codes, {paths[1].stat().st_size} bytes"

    each(work, one)
