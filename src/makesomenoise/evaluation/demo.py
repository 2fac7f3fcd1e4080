"""The demo page: each clip as it was, as a tokenizer decodes it, and as a baseline does, to hear and to see.

The page works from disk: one `index.html`, sound files and pictures beside it, nothing from elsewhere.
"""

import html
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import torch
from torch import Tensor

from makesomenoise.audio import io
from makesomenoise.audio.mel import LogMel
from makesomenoise.tokenizer.files import decode_file, encode_file
from makesomenoise.tokenizer.model import AudioTokenizer

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3"}
_BITS_PER_SAMPLE = 16
_DARKEST, _BRIGHTEST = -9.0, 3.5  # log-mel; the same for all pictures, so that colours compare


class DemoError(ValueError):
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


def build_page(clips: Path, output: Path, ours: AudioTokenizer, baseline: AudioTokenizer, seed: int = 0) -> Path:
    """Builds the page.

    Args:
        clips: folder of sound files.
        output: folder of the page; made if missing, files in it are replaced.
        ours: the tokenizer to show.
        baseline: the tokenizer to compare with.
        seed: of the decoded sounds.

    Returns:
        The `index.html`.

    Raises:
        DemoError: if `clips` holds no sound file.
        AudioError: if one of them cannot be read.
    """
    sources = sorted(p for p in clips.glob("*") if p.suffix.lower() in SUFFIXES)
    if not sources:
        raise DemoError(f"No sound files in {clips}: give a folder of clips (`--clips`), such as demo_clips.")
    output.mkdir(parents=True, exist_ok=True)
    mel = LogMel(ours.config.mel)
    rows = []
    for source in sources:
        original = _original(source, output, mel, ours.sample_rate)
        decoded = [
            _decoded(source, output, mel, tokenizer, name, seed)
            for name, tokenizer in (("makesomenoise", ours), ("VQ-VAE baseline", baseline))
        ]
        rows.append(_row(source.stem, [original, *decoded]))
    page = Template(resources.files("makesomenoise.evaluation").joinpath("demo.html").read_text(encoding="utf-8"))
    text = page.substitute(rows="\n".join(rows), rate=f"{ours.bits_per_second:.0f}", codes=f"{ours.code_rate:.1f}")
    with io.replacing(output / "index.html") as temporary:
        temporary.write_text(text, encoding="utf-8")
    return output / "index.html"


def _original(source: Path, output: Path, mel: LogMel, sample_rate: int) -> Column:
    waveform = io.load(source, sample_rate)
    sound = f"{source.stem}-original.wav"
    io.save(output / sound, waveform, sample_rate)
    bits = len(waveform) * _BITS_PER_SAMPLE
    return Column("original", sound, _picture(waveform, output / sound, mel), bits)


def _decoded(source: Path, output: Path, mel: LogMel, tokenizer: AudioTokenizer, title: str, seed: int) -> Column:
    stem = f"{source.stem}-{title.split(maxsplit=1)[0].lower()}"
    encode_file(tokenizer, source, output / f"{stem}.msn")
    read = decode_file(tokenizer, output / f"{stem}.msn", output / f"{stem}.wav", seed=seed)
    picture = _picture(io.load(output / f"{stem}.wav", tokenizer.sample_rate), output / f"{stem}.wav", mel)
    bits = len(read.codes) * read.bits_per_code
    return Column(title, f"{stem}.wav", picture, bits, tuple(read.codes.tolist()))


def _picture(waveform: Tensor, sound: Path, mel: LogMel) -> str:
    from matplotlib import image  # noqa: PLC0415 - matplotlib comes with the extra `demo`

    with torch.inference_mode():
        frames = mel(waveform[None])[0].numpy()
    name = sound.with_suffix(".png").name
    with io.replacing(sound.with_name(name)) as temporary:
        image.imsave(str(temporary), frames, format="png", origin="lower", cmap="magma", vmin=_DARKEST, vmax=_BRIGHTEST)
    return name


def _row(name: str, columns: list[Column]) -> str:
    cells = "\n".join(map(_cell, columns))
    return f'<section><h2>{html.escape(name)}</h2><div class="versions">{cells}</div></section>'


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
