"""Pack what must travel to a machine that takes little and has no network.

    python -m recipes.gpu.pack CORPUS PACK --megabytes 64

A pack holds clips to check on, sounds of the training splits (ESC-50 and UrbanSound8K, then at most `--per-label` of
each label of the other datasets; `--part` turns their order) as Ogg Opus at 24 kHz, a tokenizer whose decoder is
trained on, the code, and wheels of what the code needs beside torch and numpy. The whole corpus at 20 kbit/s is 108 MB.
"""

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

import makesomenoise
from makesomenoise import checkpoint, model_folder
from makesomenoise.audio.io import AudioError
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip, ManifestError, read_clips
from makesomenoise.files import is_free
from makesomenoise.tokenizer.config import TokenizerConfig
from recipes.gpu.errors import RecipeError, ending
from recipes.gpu.tape import SAMPLE_RATE, SOUNDS_FILE, Packed, write_index

FAVOURED = ("esc50", "urbansound8k")
WHEELS = (("pydantic", "pyyaml", "safetensors"), ("--no-deps", "soundfile", "soxr", "cffi", "pycparser"))
_AT_ONCE = 64
_RECIPES = Path(__file__).parent


@dataclass(frozen=True)
class Choice:
    """Which sounds are packed.

    Attributes:
        megabytes: largest size of the whole pack.
        part: which of the parts of the sounds comes first, where not all of them fit.
        parts: into how many they are divided.
        favoured_share: share of the room for sounds at which ESC-50 and UrbanSound8K end.
        favoured_kilobits: rate of ESC-50, UrbanSound8K and what is checked on, kbit/s.
        kilobits: rate of the other sounds, kbit/s.
        longest_seconds: what other sounds are cut to.
        per_label: largest number of other sounds of a label of a dataset; those without a label are held to five
            times as many.
        valid: number of clips to check on.
    """

    megabytes: float = 64.0
    part: int = 0
    parts: int = 4
    favoured_share: float = 0.6
    favoured_kilobits: float = 24.0
    kilobits: float = 20.0
    longest_seconds: float = 3.5
    per_label: int = 6
    valid: int = 48


@dataclass(frozen=True)
class Group:
    """Clips that are packed one after another.

    Attributes:
        split: `train` or `valid`.
        clips: the clips.
        until: share of the room at which the next group comes.
    """

    split: str
    clips: Sequence[Clip]
    until: float


def pack(corpus: Path, out: Path, start: str | None, new_decoder: bool, choice: Choice) -> None:
    """Writes a pack.

    Args:
        corpus: folder with train-*.tar, extra-*.tar and valid-*.tar.
        out: new or empty folder.
        start: tokenizer to start from; none leaves tokenizer and code out, for a machine that has this repository.
        new_decoder: leave its decoder out, so that a new one is trained.
        choice: which sounds.

    Raises:
        RecipeError: if the pack does not fit, or if wheels cannot be fetched.
    """
    if not is_free(out):
        raise RecipeError(f"{out} holds something already: name a new or empty folder.")
    if not 0 <= choice.part < choice.parts:
        raise RecipeError(f"There is no part {choice.part} of {choice.parts}: give 0 to {choice.parts - 1}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:  # so that the pack appears whole or not at all
        unfinished = Path(work) / out.name
        unfinished.mkdir()
        fill(unfinished, corpus, start, new_decoder, choice)
        unfinished.replace(out)


def fill(out: Path, corpus: Path, start: str | None, new_decoder: bool, choice: Choice) -> None:
    """Writes the content of a pack into an empty folder; see `pack`."""
    if start is not None:
        write_model(start, out / "model", new_decoder)
        write_code(out)
    fetch_wheels(out / "wheels")
    room = int(choice.megabytes * 1e6) - size_of(out)
    packed, written = [], 0
    with (out / SOUNDS_FILE).open("wb") as file:
        for group in chosen(corpus, choice):
            for entry, data in coded(group, choice):
                if written + len(data) > group.until * room:
                    break
                file.write(data)
                packed.append(entry)
                written += len(data)
    if not any(clip.split == "train" for clip in packed):
        raise RecipeError(
            f"A pack of {choice.megabytes:g} MB cannot hold sounds to learn from: beside model, code and wheels, "
            f"{room / 1e6:.1f} MB are left for them and {choice.valid} clips to check on; give more --megabytes."
        )
    write_index(out, packed)
    counts = dict(Counter(clip.dataset for clip in packed if clip.split == "train"))
    print(f"{out.name}: {size_of(out) / 1e6:.1f} MB, {written / 1e6:.1f} of them sounds: {counts}")


def write_model(start: str, folder: Path, new_decoder: bool) -> None:
    """Writes the tokenizer, its decoder in 8 bits or left out."""
    source = model_folder.resolve(start)
    state = checkpoint.load_state(source)
    if new_decoder:
        state = {name: tensor for name, tensor in state.items() if not name.startswith("decoder.")}
    checkpoint.save_model(folder, model_folder.load_config(source, TokenizerConfig), state, storage="int8")


def write_code(out: Path) -> None:
    """Copies the package without its weights, and the recipe."""
    ignored = shutil.ignore_patterns("pretrained", "__pycache__", "*.html")
    shutil.copytree(Path(str(makesomenoise.__file__)).parent, out / "src" / "makesomenoise", ignore=ignored)
    shutil.copytree(_RECIPES, out / "recipes" / "gpu", ignore=ignored)
    shutil.copy(_RECIPES / "train.sh", out / "train.sh")


def fetch_wheels(folder: Path) -> None:
    """Fetches wheels for CPython 3.12 on 64-bit Linux.

    Raises:
        RecipeError: if the registry cannot be reached or lacks one.
    """
    folder.mkdir()
    target = ["--only-binary", ":all:", "--python-version", "3.12", "--dest", str(folder)]
    for platform in ("manylinux2014_x86_64", "manylinux_2_28_x86_64"):
        target += ["--platform", platform]
    for names in WHEELS:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *target, *names],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = " ".join(done.stderr.split())[-200:]
            raise RecipeError(f"Cannot fetch wheels of {', '.join(names)}: {reason}.")


def chosen(corpus: Path, choice: Choice) -> list[Group]:
    """The clips of a corpus in the order in which they are packed; parts begin at other places of it."""
    order = random.Random(0)
    shards = sorted(corpus.glob("train-*.tar")) + sorted(corpus.glob("extra-*.tar"))
    train, valid = read_clips(shards), read_clips(sorted(corpus.glob("valid-*.tar")))
    checked = order.sample(valid, min(choice.valid, len(valid)))
    order.shuffle(train)
    first = choice.part * len(train) // choice.parts
    train = train[first:] + train[:first]
    counts: Counter[tuple[str, str]] = Counter()
    others = []
    for clip in (clip for clip in train if clip.dataset not in FAVOURED):
        counts[clip.dataset, clip.label] += 1
        if counts[clip.dataset, clip.label] <= choice.per_label * (1 if clip.label else 5):
            others.append(clip)
    favoured = [clip for clip in train if clip.dataset in FAVOURED]
    return [Group("valid", checked, 1.0), Group("train", favoured, choice.favoured_share), Group("train", others, 1.0)]


def coded(group: Group, choice: Choice) -> Iterator[tuple[Packed, bytes]]:
    """Codes clips on all cores, a few at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(group.clips), _AT_ONCE):
            some = group.clips[first : first + _AT_ONCE]
            for clip, data in zip(some, pool.map(lambda one: opus(group.split, one, choice), some), strict=True):
                yield Packed(group.split, clip.dataset, len(data)), data


def opus(split: str, clip: Clip, choice: Choice) -> bytes:
    """A clip as an Ogg Opus file at 24 kHz."""
    samples = ClipStore([clip], SAMPLE_RATE).waveform(0)  # of a truncated clip, what there is
    whole = split == "valid" or clip.dataset in FAVOURED
    if not whole:
        samples = samples[: int(choice.longest_seconds * SAMPLE_RATE)]
    # libsndfile asks for 256 kbit/s at level 0 and for 6 at level 1.
    kilobits = choice.favoured_kilobits if whole else choice.kilobits
    level = min(max(1.0 - (kilobits - 6.0) / 250.0, 0.0), 1.0)
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    return file.getvalue()


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("pack", type=Path, help="new or empty folder")
    parser.add_argument("--start", default="default", help="tokenizer to start from")
    parser.add_argument("--bare", action="store_true", help="sounds and wheels alone: the machine has this repository")
    parser.add_argument("--new-decoder", action="store_true", help="train a new decoder for the codes of --start")
    for name, default in Choice.__dataclass_fields__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default.default), default=default.default)
    given = vars(parser.parse_args(arguments))
    choice = Choice(**{name: given[name] for name in Choice.__dataclass_fields__})
    pack(given["corpus"], given["pack"], None if given["bare"] else given["start"], given["new_decoder"], choice)


if __name__ == "__main__":
    ending(main, (AudioError, CheckpointError, ManifestError))
