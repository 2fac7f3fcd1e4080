"""`msn decode`."""

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
    import typer

    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.files import decode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    work = pairs(inputs, output, ".wav")
    tokenizer = AudioTokenizer.load(model, vocoder, device)
    for source, target in work:
        read = decode_file(tokenizer, source, target, steps, guidance, seed)
        typer.echo(f"{target}: {read.seconds:.2f} s from {len(read.codes)} codes")
