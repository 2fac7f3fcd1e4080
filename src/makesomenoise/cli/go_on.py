"""`msn continue`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.each_file import EachFile, FileOptions, Made, Make
from makesomenoise.cli.generation import GenerationOptions
from makesomenoise.cli.inputs import SOUND
from makesomenoise.cli.models import SpeakerOptions
from makesomenoise.cli.options import Inputs, above_zero
from makesomenoise.cli.targets import SOUND_FILES

if TYPE_CHECKING:
    import numpy as np

    from makesomenoise.audio.joining import Continuation

Seconds = Annotated[float, typer.Option(callback=above_zero, help="Length of what follows, exact to the sample.")]
Target = Annotated[str, typer.Option("--output", "-o", help="A sound file, `-`, or a folder for one file per input.")]
Only = Annotated[bool, typer.Option("--only-new", help="Write what follows alone, not the sound before it.")]


def continue_(
    inputs: Inputs,
    *,
    seconds: Seconds = 5.0,
    output: Target = "continued.wav",
    only_new: Only = False,
    drawing: GenerationOptions,
    files: FileOptions,
    models: SpeakerOptions,
) -> None:
    """Make how sounds go on: `msn continue rain.wav --seconds 5 -o longer.wav`."""
    models.check()

    def load() -> Make:
        from makesomenoise.audio import io

        how, speaker = drawing.generation(), models.load()
        rate = speaker.tokenizer.sample_rate

        def make(source: Path, target: Path, report: Callable[[float], object]) -> Made:
            before = io.load(source, rate)
            new = speaker.go_on(before, seconds, drawing.seed, how, report)
            made = joined(before, new, only_new)
            io.save(target, made, rate)
            return Made(f"{len(made) / rate:.2f} s", {"seconds": len(made) / rate, "seed": drawing.seed})

        return make

    EachFile("Going on", SOUND, SOUND_FILES, files).run(inputs, output, load)


def joined(before: "np.ndarray", made: "Continuation", only_new: bool) -> "np.ndarray":
    """What is written: the sound and what follows it, or that alone."""
    from makesomenoise.audio.joining import crossfaded

    if only_new:
        return made.waveform
    lead = made.lead[len(made.lead) - min(len(made.lead), len(before)) :]
    return crossfaded(before, lead, made.waveform)
