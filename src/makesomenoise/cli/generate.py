"""`msn generate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Device, Json, LanguageName, QualityName, Seed, Steps, TokenizerName, VocoderName
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.composing import BestBy, Composed
    from makesomenoise.language.sampling import Sampling

Text = Annotated[str, typer.Argument(help="What is to be heard.", show_default=False)]
Seconds = Annotated[float, typer.Option(help="Length, exact to the sample.")]
Target = Annotated[Path, typer.Option("--output", "-o", help="Name of the sound file.")]
Count = Annotated[int, typer.Option("--n", min=1, max=64, help="How many sounds to make, in one batch.")]
Best = Annotated[str, typer.Option(help="`caption`: keep the one in which the model best recognises the text.")]
Temperature = Annotated[float | None, typer.Option(help="How freely codes are drawn; 0 takes the likeliest.")]
TopK = Annotated[int | None, typer.Option(help="Draw among so many of the likeliest codes; 0 is all.")]
Keep = Annotated[bool, typer.Option("--keep-level", help="Leave it as soft or loud as it was made.")]
Scale = Annotated[float | None, typer.Option(help="How much the text counts; 1 turns guidance off.")]


class GenerateError(RequestError):
    """Sounds that cannot be made or written; the message is one sentence for the user."""


def generate(  # noqa: PLR0913 - each is an option
    text: Text,
    *,
    seconds: Seconds = 5.0,
    output: Target = Path("sound.wav"),
    seed: Seed = 0,
    count: Count = 1,
    best_by: Best = "",
    temperature: Temperature = None,
    top_k: TopK = None,
    guidance: Scale = None,
    steps: Steps = None,
    quality: QualityName = "fast",
    keep_level: Keep = False,
    as_json: Json = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
) -> None:
    """Make sounds from a text: `msn generate "a dog barks twice" --seconds 5 -o dog.wav`."""
    from makesomenoise.audio import io
    from makesomenoise.audio.level import USUAL_DB
    from makesomenoise.pipeline import AudioLanguageModel
    from makesomenoise.tokenizer.decoding import as_quality

    by, how, fine = judge(best_by), sampling(temperature, top_k, guidance), as_quality(quality)
    paths = targets(output, 1 if by else count)
    speaker = AudioLanguageModel.load(model, tokenizer, vocoder, device)
    made = speaker.compose(text, seconds, seed, how, count, by)
    loud = None if keep_level else USUAL_DB
    for path, one in zip(paths, made, strict=False):
        waveform = speaker.render(one.sound, seconds, seed, steps, loud, fine)
        io.save(path, waveform, speaker.tokenizer.sample_rate)
        about = {"file": str(path), "text": text, "seconds": seconds, "seed": seed}
        typer.echo(described(about, one, made[len(paths) :], as_json))


def judge(best_by: str) -> "BestBy | None":
    """What candidates are ranked by.

    Raises:
        GenerateError: if that is unknown.
    """
    if best_by not in ("", "caption"):
        raise GenerateError(f"Cannot rank sounds by '{best_by}': give --best-by caption, or leave it out.")
    return "caption" if best_by else None


def sampling(temperature: float | None, top_k: int | None, guidance: float | None) -> "Sampling":
    """How codes are drawn: as usual where nothing is given.

    Raises:
        LanguageError: if a value is out of range.
    """
    from dataclasses import replace

    from makesomenoise.language.sampling import GENERATING

    given = {"temperature": temperature, "top_k": top_k, "guidance": guidance}
    return replace(GENERATING, **{name: value for name, value in given.items() if value is not None})


def targets(output: Path, count: int) -> list[Path]:
    """Names of the files: `dog.wav`, or `dog-1.wav`, `dog-2.wav`, ...

    Raises:
        GenerateError: if they cannot be written, which is better said before they are made.
    """
    from makesomenoise.audio.io import FORMATS

    if output.suffix.lower() not in FORMATS:
        raise GenerateError(f"Cannot write {output}: its name must end in one of {', '.join(FORMATS)}.")
    if output.is_dir() or not output.parent.is_dir():
        raise GenerateError(f"Cannot write {output}: give the name of a file in an existing folder.")
    numbers = range(1, count + 1)
    return [output] if count == 1 else [output.with_stem(f"{output.stem}-{number}") for number in numbers]


def described(about: dict, one: "Composed", others: "list[Composed]", as_json: bool) -> str:
    """A line about a file that was written, and the scores of what was not."""
    scores = {} if one.score is None else {"score": one.score, "others": [other.score for other in others]}
    if as_json:
        return json.dumps({**about, **scores})
    line = f"{about['file']}: {about['seconds']:.2f} s"
    if one.score is None:
        return line
    rest = ", ".join(f"{other.score:.2f}" for other in others)
    return f"{line}, recognised with a log-likelihood of {one.score:.2f}" + (f" (the others: {rest})" if rest else "")
