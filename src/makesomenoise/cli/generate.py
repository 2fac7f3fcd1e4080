"""`msn generate`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import (
    Device,
    Force,
    Json,
    LanguageName,
    QualityName,
    Seed,
    Steps,
    TokenizerName,
    VocoderName,
    above_zero,
)
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.language.composing import BestBy, Composed
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
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
) -> None:
    """Make sounds from a text: `msn generate "a dog barks twice" --seconds 5 -o dog.wav`."""
    from makesomenoise.cli.targets import SOUND_FILES, is_aloud, numbered
    from makesomenoise.cli.terminal import tell

    paths = numbered(output, 1 if best_by else count, SOUND_FILES, force)
    from makesomenoise.audio import io
    from makesomenoise.audio.level import USUAL_DB
    from makesomenoise.pipeline import AudioLanguageModel
    from makesomenoise.tokenizer.decoders.base import as_quality

    by, how, fine = judge(best_by), sampling(temperature, top_k, guidance), as_quality(quality)
    speaker = AudioLanguageModel.load(model, tokenizer, vocoder, device)
    made = speaker.compose(text, seconds, seed, how, count, by)
    loud = None if keep_level else USUAL_DB
    for path, one in zip(paths, made, strict=False):
        waveform = speaker.render(one.sound, seconds, seed, steps, loud, fine)
        io.save(path, waveform, speaker.tokenizer.sample_rate)
        about = {"file": str(path), "text": text, "seconds": seconds, "seed": seed}
        tell(described(about, one, made[len(paths) :], as_json), is_aloud(path))


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
