"""`msn decode`."""

from pathlib import Path

from makesomenoise.cli.options import (
    Device,
    Force,
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
    force: Force = False,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    quality: QualityName = "fast",
    model: Model = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
) -> None:
    """Turn .msn files back into sound: `msn decode rain.msn out.wav`."""
    from makesomenoise.cli.targets import SOUND_FILES, plan

    work = plan(inputs, output, SOUND_FILES, force)
    from makesomenoise.tokenizer.decoders.base import as_quality
    from makesomenoise.tokenizer.files import decode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    chosen = as_quality(quality)
    tokenizer = AudioTokenizer.load(model, vocoder, device)

    def one(source: Path, target: Path) -> str:
        read = decode_file(tokenizer, source, target, steps, guidance, seed, chosen)
        return f"{target}: {read.seconds:.2f} s from {len(read.codes)} codes"

    work.each(one)
