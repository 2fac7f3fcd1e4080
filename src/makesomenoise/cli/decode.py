"""`msn decode`."""

from pathlib import Path

from makesomenoise.cli.each_file import EachFile, FileOptions, Made, Make
from makesomenoise.cli.inputs import CODES
from makesomenoise.cli.models import DecoderOptions
from makesomenoise.cli.options import Guidance, Inputs, Output, QualityName, Seed, Steps
from makesomenoise.cli.targets import SOUND_FILES


def decode(
    inputs: Inputs,
    output: Output,
    *,
    steps: Steps = None,
    guidance: Guidance = None,
    seed: Seed = 0,
    quality: QualityName = "fast",
    files: FileOptions,
    models: DecoderOptions,
) -> None:
    """Turn .msn files back into sound.

    One file, or several or a folder into a folder: `msn decode rain.msn out.wav`.
    """

    def load() -> Make:
        from makesomenoise.tokenizer.decoding import as_quality
        from makesomenoise.tokenizer.files import decode_file

        tokenizer, fine = models.load(), as_quality(quality)

        def make(source: Path, target: Path, report) -> Made:
            read = decode_file(tokenizer, source, target, steps, guidance, seed, fine, report=report)
            line = f"{read.seconds:.2f} s from {len(read.codes)} codes"
            return Made(line, {"seconds": read.seconds, "codes": len(read.codes)})

        return make

    models.check()
    EachFile("Decoding", CODES, SOUND_FILES, files).run(inputs, output, load)
