"""`msn continue`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import (
    Device,
    EngineChoice,
    Force,
    Inputs,
    LanguageName,
    QualityName,
    Seed,
    Steps,
    TokenizerName,
    VocoderName,
)
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

    from makesomenoise.audio.joining import Continuation
    from makesomenoise.pipeline import AudioLanguageModel

Seconds = Annotated[float, typer.Option(help="Length of what follows, exact to the sample.")]
Target = Annotated[
    Path, typer.Option("--output", "-o", help="A sound file, a folder for several inputs, or `-`: standard output.")
]
Only = Annotated[bool, typer.Option("--only-new", help="Write what follows alone, not the sound before it.")]
Resume = Annotated[bool, typer.Option("--resume", help="Leave out files whose output is there already.")]
Scale = Annotated[float | None, typer.Option(help="How much the beginning counts; 1 turns guidance off.")]
Temperature = Annotated[float | None, typer.Option(help="How freely codes are drawn; 0 takes the likeliest.")]


def continue_(  # noqa: PLR0913 - each is an option
    files: Inputs,
    *,
    seconds: Seconds = 5.0,
    output: Target = Path("continued.wav"),
    only_new: Only = False,
    resume: Resume = False,
    force: Force = False,
    seed: Seed = 0,
    temperature: Temperature = None,
    guidance: Scale = None,
    steps: Steps = None,
    quality: QualityName = "fast",
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Make how sounds go on: `msn continue rain.wav --seconds 5 -o longer.wav`."""
    from makesomenoise.cli.generate import sampling
    from makesomenoise.cli.sources import Piece, each, pieces
    from makesomenoise.cli.targets import SOUND_FILES
    from makesomenoise.pipeline import AudioLanguageModel
    from makesomenoise.tokenizer.decoding import as_quality

    how, fine = sampling(temperature, None, guidance), as_quality(quality)
    work = pieces(files, output, SOUND_FILES, resume, force)
    if len(work) > 1 and work[0].target is None:
        raise RequestError("One sound goes to standard output at most: give --output FOLDER for several.")
    if not work:
        return
    speaker = AudioLanguageModel.load(model, tokenizer, vocoder, device, engine)

    def go_on(piece: Piece) -> None:
        before = loaded(piece.source)
        made = speaker.go_on(before, seconds, seed, how, steps, quality=fine)
        save(speaker, joined(before, made, only_new), piece.target)

    each(work, go_on)


def loaded(source: Path) -> "np.ndarray":
    """The waveform [S] of a file, or of standard input."""
    from makesomenoise.audio import io

    return io.load(source)


def joined(before: "np.ndarray", made: "Continuation", only_new: bool) -> "np.ndarray":
    """What is written: the sound and what follows it, or that alone."""
    from makesomenoise.audio.joining import crossfaded

    if only_new:
        return made.waveform
    lead = made.lead[len(made.lead) - min(len(made.lead), len(before)) :]
    return crossfaded(before, lead, made.waveform)


def save(speaker: "AudioLanguageModel", waveform: "np.ndarray", target: Path | None) -> None:
    """Writes a sound file, or the bytes of a WAV file to standard output."""
    from makesomenoise.audio import arrays, io
    from makesomenoise.serving.formats import encoded

    rate = speaker.tokenizer.sample_rate
    if target is None:
        sys.stdout.buffer.write(encoded(waveform, rate, "wav"))
        sys.stdout.buffer.flush()
        return
    io.save(target, arrays.piece(waveform), rate)
    typer.echo(f"{target}: {len(waveform) / rate:.2f} s", err=True)
