"""`msn generate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.generation import GenerationOptions
from makesomenoise.cli.models import SpeakerOptions, check_length
from makesomenoise.cli.options import Force, Json, Quiet, above_zero
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.composing import Generated

Text = Annotated[str, typer.Argument(help="What is to be heard.", show_default=False)]
Seconds = Annotated[float, typer.Option(callback=above_zero, help="Length, exact to the sample.")]
Target = Annotated[str, typer.Option("--output", "-o", help="Name of the sound file, or `-`.")]
Count = Annotated[int, typer.Option("--n", min=1, max=64, help="How many sounds to make; the first is that of --n 1.")]
Best = Annotated[str, typer.Option(help="`caption`: keep the one in which the model best recognises the text.")]
Keep = Annotated[bool, typer.Option("--keep-level", help="Leave it as soft or loud as it was made.")]


class GenerateError(RequestError):
    """Sounds that cannot be made or written; the message is one sentence for the user."""


def generate(  # noqa: PLR0913 - each is an option
    text: Text,
    *,
    seconds: Seconds = 5.0,
    output: Target = "sound.wav",
    count: Count = 1,
    best_by: Best = "",
    keep_level: Keep = False,
    drawing: GenerationOptions,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    models: SpeakerOptions,
) -> None:
    """Make sounds from a text.

    `msn generate "a dog barks twice" --seconds 5 -o dog.wav`; of several the second is that of the next seed.
    """
    check_asked(text, best_by)
    from makesomenoise.cli.targets import SOUND_FILES, is_aloud, numbered

    paths = numbered(output, 1 if best_by else count, SOUND_FILES, force)
    results = Results(as_json, quiet, aloud=is_aloud(paths[0]))
    models.check()
    check_length(seconds, models.model)
    from makesomenoise.audio import io

    with progress("Making sound", quiet) as report:
        how, speaker = drawing.generation(keep_level), models.load()
        by = "caption" if best_by else None
        made = speaker.generate_each(text, seconds, drawing.seed, how, count, by, lambda share: report(share, 1))
        for path, one in zip(paths, made, strict=True):
            io.save(path, one.waveform, speaker.tokenizer.sample_rate)
            scores = {} if one.score is None else {"score": one.score, "others": one.others}
            document = {"file": str(path), "text": text, "seconds": seconds, "seed": one.seed, **scores}
            results.note(f"{path}: {seconds:.2f} s{recognised(one)}", document)


def check_asked(text: str, best_by: str) -> None:
    """Refuses what cannot be made, before a model is loaded.

    Raises:
        GenerateError: if the text is empty, or candidates are to be ranked by something unknown.
    """
    if not text.strip(" ."):
        raise GenerateError("The text is empty: say what is to be heard.")
    if best_by not in ("", "caption"):
        raise GenerateError(f"Cannot rank sounds by '{best_by}': give --best-by caption, or leave it out.")


def recognised(made: "Generated") -> str:
    """How well the model itself recognised the text in a sound, and in those that were not kept."""
    if made.score is None:
        return ""
    rest = ", ".join(f"{score:.2f}" for score in made.others)
    return f", recognised with a log-likelihood of {made.score:.2f}" + (f" (the others: {rest})" if rest else "")
