"""`msn encode`."""

from pathlib import Path

from makesomenoise.cli.each_file import EachFile, FileOptions, Made, Make
from makesomenoise.cli.inputs import SOUND
from makesomenoise.cli.models import EncoderOptions
from makesomenoise.cli.options import Inputs, Output, Strict
from makesomenoise.cli.targets import CODE_FILES


def encode(
    inputs: Inputs, output: Output, *, strict: Strict = False, files: FileOptions, models: EncoderOptions
) -> None:
    """Turn sound files into .msn files.

    One file, or several or a folder into a folder: `msn encode rain.wav rain.msn`, `msn encode sounds codes/`. Without
    --force only codes are replaced, by new ones.
    """

    def load() -> Make:
        from makesomenoise.tokenizer.files import encode_file

        tokenizer = models.load()

        def make(source: Path, target: Path, report) -> Made:
            written = encode_file(tokenizer, source, target, strict, report)
            size = {"codes": len(written.codes), "bytes": written.file_bytes}
            line = f"{written.seconds:.2f} s, {size['codes']} codes, {size['bytes']} bytes"
            return Made(line, {"seconds": written.seconds, **size})

        return make

    models.check()
    EachFile("Encoding", SOUND, CODE_FILES, files).run(inputs, output, load)
