"""`msn decode`."""

from pathlib import Path

from makesomenoise.cli.options import (
    Device,
    EngineChoice,
    Guidance,
    Inputs,
    Model,
    Output,
    QualityName,
    Seed,
    Steps,
    VocoderName,
)


def decode(  # noqa: PLR0913 - each is an option
    inputs: Inputs,
    output: Output,
    *,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    quality: QualityName = "fast",
    model: Model = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Turn .msn files back into sound: `msn decode rain.msn out.wav`."""
    from makesomenoise.cli.errors import each
    from makesomenoise.cli.targets import pairs
    from makesomenoise.tokenizer.decoding import as_quality
    from makesomenoise.tokenizer.files import decode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    chosen = as_quality(quality)
    work = pairs(inputs, output, ".wav")
    tokenizer = AudioTokenizer.load(model, vocoder, device, engine)

    def one(paths: tuple[Path, Path]) -> str:
        read = decode_file(tokenizer, *paths, steps, guidance, seed, chosen)
        return f"{paths[1]}: {read.seconds:.2f} s from {len(read.codes)} codes"

    each(work, one)
