"""The demo page: each clip as it was, as a tokenizer decodes it, and as a baseline does, to hear and to see.

With a language model it also says what is heard in each clip, and ends with sounds that were made from text. The page
works from disk: one `index.html`, sound files and pictures beside it, nothing from elsewhere.
"""

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from makesomenoise.audio import io
from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.errors import RequestError
from makesomenoise.files import atomic_write, make_folder, write_text
from makesomenoise.language.config import LanguageConfig
from makesomenoise.model_folder import load_config, resolve
from makesomenoise.tokenizer.files import decode_file, encode_file
from makesomenoise.tokenizer.model import AudioTokenizer

if TYPE_CHECKING:
    from makesomenoise.pipeline import AudioLanguageModel

BUNDLED, NONE = "language", "none"
PROMPTS = ("rain falls", "a dog barks twice", "church bells ring")
_SECONDS = 5.0
_LONGEST_HEARD = 30.0


class WordsError(RequestError):
    """A language model that a page cannot have; the message is one sentence for the user."""


@dataclass(frozen=True, eq=False)
class Made:
    """A sound that was made from a text.

    Attributes:
        text: what was asked for.
        codes: [N] behind it.
        waveform: [S] in [-1, 1].
    """

    text: str
    codes: tuple[int, ...]
    waveform: np.ndarray


def find_speaker(source: str, tokenizer: AudioTokenizer) -> "AudioLanguageModel | None":
    """The language model for a page.

    Args:
        source: a model folder, a bundled name or a Hub id; `none` for none. The bundled one speaks where it ships and
            knows the codes of the tokenizer; a page can do without it.
        tokenizer: whose codes it must know.

    Returns:
        None where the page does without words.

    Raises:
        WordsError: if what a language model needs is not installed.
        CheckpointError: if a model that was named is missing or damaged.
        LanguageError: if its base is missing.
        PipelineError: if it knows the codes of another tokenizer.
    """
    if source == NONE:
        return None
    try:
        folder = resolve(source)
    except CheckpointError:
        if source != BUNDLED:
            raise
        return None
    if source == BUNDLED and load_config(folder, LanguageConfig).tokenizer_fingerprint != tokenizer.fingerprint:
        return None
    try:
        # What these import comes with the extra `language`.
        from makesomenoise.language.speaker import load_speaker  # noqa: PLC0415
        from makesomenoise.pipeline import AudioLanguageModel  # noqa: PLC0415

        return AudioLanguageModel(tokenizer, load_speaker(folder))
    except ModuleNotFoundError as error:
        raise WordsError(
            f"The page needs {error.name} for its words: run pip install 'makesomenoise[language]', "
            f"or do without them (`--language {NONE}`)."
        ) from None


def heard(speaker: "AudioLanguageModel", waveform: np.ndarray) -> str:
    """What a language model hears in the first half minute of a waveform [S], in words."""
    longest = round(_LONGEST_HEARD * speaker.tokenizer.sample_rate)
    return speaker.caption(waveform[None, :longest])[0]


def made(speaker: "AudioLanguageModel", seed: int = 0) -> Iterator[Made]:
    """A sound from each of the prompts; the first that comes, not the best of several."""
    for text in PROMPTS:
        (one,) = speaker.generate_each(text, _SECONDS, seed)
        yield Made(text, one.sound.codes, one.waveform)


_BITS_PER_SAMPLE = 16
_WORDS = (
    "<p>What is <b>heard</b> in each sound was written by a language model that reads those integers; the sounds at "
    "the end it made from nothing but the words above them.</p>"
)
_DARKEST, _BRIGHTEST = -9.0, 3.5  # log-mel; the same for all pictures, so that colours compare


class DemoError(RequestError):
    """A demo that cannot be built; the message is one sentence for the user."""


@dataclass(frozen=True)
class Column:
    """One version of a clip on the page.

    Attributes:
        title: heading.
        sound: name of the sound file.
        picture: name of the spectrogram.
        bits: what this version takes.
        codes: codes [N] behind it, none for the original.
    """

    title: str
    sound: str
    picture: str
    bits: int
    codes: tuple[int, ...] = ()


def build_page(
    clips: Path,
    output: Path,
    ours: AudioTokenizer,
    baseline: AudioTokenizer | None = None,
    seed: int = 0,
    speaker: "AudioLanguageModel | None" = None,
) -> Path:
    """Builds the page.

    Args:
        clips: folder of sound files.
        output: folder of the page; made if missing, files in it are replaced.
        ours: the tokenizer to show.
        baseline: a tokenizer to compare with.
        seed: of the decoded and of the made sounds.
        speaker: describes the clips and makes sounds from text; none leaves both out.

    Returns:
        The `index.html`.

    Raises:
        DemoError: if `clips` holds no sound file.
        AudioError: if one of them cannot be read.
    """
    sources = sorted(p for p in clips.glob("*") if p.suffix.lower() in SUFFIXES)
    if not sources:
        raise DemoError(f"No sound files in {clips}: give a folder of clips (`--clips`), such as demo_clips.")
    make_folder(output)
    mel = MelSpectrogram(ours.config.mel)
    shown = [("makesomenoise", ours), *([("VQ-VAE baseline", baseline)] if baseline else [])]
    rows = []
    for source in sources:
        waveform = io.load(source, ours.sample_rate)
        original = _original(source, waveform, output, mel, ours.sample_rate)
        decoded = [_decoded(source, output, mel, tokenizer, name, seed) for name, tokenizer in shown]
        rows.append(_row(source.stem, [original, *decoded], heard(speaker, waveform) if speaker else ""))
    if speaker:
        columns = [_made(one, output, mel, speaker.tokenizer) for one in made(speaker, seed)]
        rows.append(_row("made from text", columns))
    return _written(output, rows, ours, _WORDS if speaker else "")


def _written(output: Path, rows: list[str], ours: AudioTokenizer, words: str) -> Path:
    page = Template(resources.files("makesomenoise.demo").joinpath("page.html").read_text(encoding="utf-8"))
    rates = {"rate": f"{ours.bits_per_second:.0f}", "codes": f"{ours.code_rate:.1f}"}
    write_text(output / "index.html", page.substitute(rates, rows="\n".join(rows), words=words))
    return output / "index.html"


def _original(source: Path, waveform: np.ndarray, output: Path, mel: MelSpectrogram, sample_rate: int) -> Column:
    sound = f"{source.stem}-original.wav"
    io.save(output / sound, waveform, sample_rate)
    bits = len(waveform) * _BITS_PER_SAMPLE
    return Column("original", sound, _picture(waveform, output / sound, mel), bits)


def _decoded(
    source: Path, output: Path, mel: MelSpectrogram, tokenizer: AudioTokenizer, title: str, seed: int
) -> Column:
    stem = f"{source.stem}-{title.split(maxsplit=1)[0].lower()}"
    encode_file(tokenizer, source, output / f"{stem}.msn")
    read = decode_file(tokenizer, output / f"{stem}.msn", output / f"{stem}.wav", seed=seed)
    sound = output / f"{stem}.wav"
    picture = _picture(io.load(sound, tokenizer.sample_rate), sound, mel)
    bits = len(read.codes) * read.bits_per_code
    return Column(title, f"{stem}.wav", picture, bits, tuple(read.codes.tolist()))


def _made(one: Made, output: Path, mel: MelSpectrogram, tokenizer: AudioTokenizer) -> Column:
    sound = f"made-{one.text.replace(' ', '-')}.wav"
    io.save(output / sound, one.waveform, tokenizer.sample_rate)
    bits = len(one.codes) * tokenizer.bits_per_code
    return Column(one.text, sound, _picture(one.waveform, output / sound, mel), bits, one.codes)


def _picture(waveform: np.ndarray, sound: Path, mel: MelSpectrogram) -> str:
    from matplotlib import image  # noqa: PLC0415 - matplotlib comes with the extra `demo`

    frames = mel(waveform[None])[0]
    name = sound.with_suffix(".png").name
    with atomic_write(sound.with_name(name)) as temporary:
        image.imsave(str(temporary), frames, format="png", origin="lower", cmap="magma", vmin=_DARKEST, vmax=_BRIGHTEST)
    return name


def _row(name: str, columns: list[Column], words: str = "") -> str:
    cells = "\n".join(map(_cell, columns))
    said = f'<p class="heard">heard: <q>{html.escape(words)}</q></p>' if words else ""
    return f'<section><h2>{html.escape(name)}</h2>{said}<div class="versions">{cells}</div></section>'


def _cell(column: Column) -> str:
    spent = f"{column.bits:,} bits"
    if column.codes:
        spent = f"{len(column.codes)} codes = {spent}"
    codes = html.escape(json.dumps(column.codes))
    return (
        f"<figure><figcaption><b>{html.escape(column.title)}</b> <span>{spent}</span></figcaption>"
        f'<div class="picture"><img src="{html.escape(column.picture)}" alt="log-mel spectrogram"><i></i></div>'
        f'<canvas height="1" data-codes="{codes}"></canvas>'
        f'<audio controls preload="none" src="{html.escape(column.sound)}"></audio></figure>'
    )
