"""`msn decode`."""

from pathlib import Path

from makesomenoise.cli.options import Device, Guidance, Inputs, Model, Output, Seed, Steps, VocoderName


def decode(
    inputs: Inputs,
    output: Output,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    model: Model = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
) -> None:
    """Turn .msn files back into sound: `msn decode rain.msn out.wav`."""
    from makesomenoise.cli.errors import each
    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.files import decode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    work = pairs(inputs, output, ".wav")
    tokenizer = AudioTokenizer.load(model, vocoder, device)

    def one(paths: tuple[Path, Path]) -> str:
        read = decode_file(tokenizer, *paths, steps, guidance, seed)
        return f"{paths[1]}: {read.seconds:.2f} s from {len(read.codes)} codes"

    each(work, one)
