"""`msn generate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import (
    Device,
    EngineChoice,
    Force,
    Json,
    LanguageName,
    QualityName,
    Quiet,
    Seed,
    Steps,
    TokenizerName,
    VocoderName,
    above_zero,
)
from makesomenoise.cli.progress import progress
from makesomenoise.cli.results import Results, check_length, check_models
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.composing import Generated
    from makesomenoise.language.sampling import Sampling

Text = Annotated[str, typer.Argument(help="What is to be heard.", show_default=False)]
Seconds = Annotated[float, typer.Option(callback=above_zero, help="Length, exact to the sample.")]
Target = Annotated[str, typer.Option("--output", "-o", help="Name of the sound file, or `-`.")]
Count = Annotated[int, typer.Option("--n", min=1, max=64, help="How many sounds to make; the first is that of --n 1.")]
Best = Annotated[str, typer.Option(help="`caption`: keep the one in which the model best recognises the text.")]
Temperature = Annotated[float | None, typer.Option(min=0.0, help="How freely codes are drawn; 0 takes the likeliest.")]
TopK = Annotated[int | None, typer.Option(min=0, help="Draw among so many of the likeliest codes; 0 is all.")]
Keep = Annotated[bool, typer.Option("--keep-level", help="Leave it as soft or loud as it was made.")]
Scale = Annotated[
    float | None, typer.Option(min=0.0, max=100.0, help="How much the text counts; 1 turns guidance off.")
]


class GenerateError(RequestError):
    """Sounds that cannot be made or written; the message is one sentence for the user."""


def generate(  # noqa: PLR0913 - each is an option
    text: Text,
    *,
    seconds: Seconds = 5.0,
    output: Target = "sound.wav",
    seed: Seed = 0,
    count: Count = 1,
    best_by: Best = "",
    temperature: Temperature = None,
    top_k: TopK = None,
    guidance: Scale = None,
    steps: Steps = None,
    quality: QualityName = "fast",
    keep_level: Keep = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Make sounds from a text.

    `msn generate "a dog barks twice" --seconds 5 -o dog.wav`; of several the second is that of the next seed.
    """
    check_asked(text, best_by)
    from makesomenoise.cli.targets import SOUND_FILES, is_aloud, numbered

    paths = numbered(output, 1 if best_by else count, SOUND_FILES, force)
    results = Results(as_json, quiet, aloud=is_aloud(paths[0]))
    check_models(model, tokenizer)
    check_length(seconds, model)
    from makesomenoise.audio import io
    from makesomenoise.audio.level import USUAL_DB
    from makesomenoise.pipeline import AudioLanguageModel
    from makesomenoise.tokenizer.decoding import as_quality

    how, loud = sampling(temperature, top_k, guidance), None if keep_level else USUAL_DB
    with progress("Making sound", quiet) as report:
        speaker = AudioLanguageModel.load(model, tokenizer, vocoder, device, engine)
        by, fine = "caption" if best_by else None, as_quality(quality)
        made = speaker.generate_each(text, seconds, seed, how, count, by, steps, loud, quality=fine)
        for number, (path, one) in enumerate(zip(paths, made, strict=True), 1):
            io.save(path, one.waveform, speaker.tokenizer.sample_rate)
            scores = {} if one.score is None else {"score": one.score, "others": one.others}
            document = {"file": str(path), "text": text, "seconds": seconds, "seed": one.seed, **scores}
            results.note(f"{path}: {seconds:.2f} s{recognised(one)}", document)
            report(number, len(paths))


def check_asked(text: str, best_by: str) -> None:
    """Refuses what cannot be made, before a model is loaded.

    Raises:
        GenerateError: if the text is empty, or candidates are to be ranked by something unknown.
    """
    if not text.strip(" ."):
        raise GenerateError("The text is empty: say what is to be heard.")
    if best_by not in ("", "caption"):
        raise GenerateError(f"Cannot rank sounds by '{best_by}': give --best-by caption, or leave it out.")


def sampling(temperature: float | None, top_k: int | None, guidance: float | None) -> "Sampling":
    """How codes are drawn: as usual where nothing is given.

    Raises:
        LanguageError: if a value is out of range.
    """
    from dataclasses import replace

    from makesomenoise.language.sampling import GENERATING

    given = {"temperature": temperature, "top_k": top_k, "guidance": guidance}
    return replace(GENERATING, **{name: value for name, value in given.items() if value is not None})


def recognised(made: "Generated") -> str:
    """How well the model itself recognised the text in a sound, and in those that were not kept."""
    if made.score is None:
        return ""
    rest = ", ".join(f"{score:.2f}" for score in made.others)
    return f", recognised with a log-likelihood of {made.score:.2f}" + (f" (the others: {rest})" if rest else "")
