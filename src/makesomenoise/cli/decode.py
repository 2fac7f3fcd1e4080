"""`msn decode`."""

from makesomenoise.cli.options import (
    Device,
    EngineChoice,
    Force,
    Guidance,
    Inputs,
    Model,
    Output,
    QualityName,
    Quiet,
    Seed,
    Steps,
    VocoderName,
)
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, check_models, check_some_are_there


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
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Turn .msn files back into sound.

    One file, or several into a folder: `msn decode rain.msn out.wav`.
    """
    check_some_are_there(inputs)
    check_models(model)
    from makesomenoise.cli.targets import SOUND_FILES, plan

    work = plan(inputs, output, SOUND_FILES, force)
    from makesomenoise.tokenizer.decoding import as_quality
    from makesomenoise.tokenizer.files import decode_file
    from makesomenoise.tokenizer.model import AudioTokenizer

    results = Results(quiet=quiet, aloud=work.aloud, failed=work.refused)
    with progress("Decoding", quiet) as report:
        tokenizer = AudioTokenizer.load(model, vocoder, device, engine)
        for done, (source, target) in enumerate(work.pairs):
            report(done, len(work.pairs))
            with results.of(source):
                read = decode_file(tokenizer, source, target, steps, guidance, seed, as_quality(quality))
                results.note(f"{target}: {read.seconds:.2f} s from {len(read.codes)} codes", {})
    results.end()
