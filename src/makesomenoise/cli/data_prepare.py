"""`msn data prepare` and `msn data push`: shards of sound from elsewhere, and codes to the Hugging Face Hub."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.errors import show
from makesomenoise.cli.options import Quiet, Seed
from makesomenoise.cli.progress import progress

if TYPE_CHECKING:
    from makesomenoise.data.tar_shards import Held, Prepared

prepare = typer.Typer(no_args_is_help=True, help="Bring data: `msn data prepare hub ashraq/esc50 corpus/esc50`.")

Dataset = Annotated[str, typer.Argument(help="Id on the Hub (ID:CONFIGURATION), or a folder.", show_default=False)]
Source = Annotated[str, typer.Argument(help="Folder or archive, or an id on the Hub.", show_default=False)]
Target = Annotated[Path, typer.Argument(help="Folder of the tar shards.", show_default=False)]
Codes = Annotated[Path, typer.Argument(help="Folder of the code shards.", show_default=False)]
Repository = Annotated[str, typer.Argument(help="OWNER/NAME on the Hub.", show_default=False)]
Preset = Annotated[
    str | None,
    typer.Option(help="Names of columns: esc50, urbansound8k, audiocaps, clotho or fsd50k.", show_default=False),
]
Split = Annotated[str, typer.Option(help="Split of the data set.")]
Column = Annotated[str | None, typer.Option(help="Name of the column that holds it.", show_default=False)]
Captions = Annotated[
    list[str] | None, typer.Option("--caption", help="Column of captions; may be given again.", show_default=False)
]
ValidFolds = Annotated[str, typer.Option(help="Folds that become the valid split: 5 or 9,10.", show_default=False)]
ValidShare = Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the groups that becomes the valid split.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be written.")]
_NAMED = 3


@prepare.callback()
def _group() -> None:
    """Bring data: `msn data prepare hub ashraq/esc50 corpus/esc50 --preset esc50`."""


def _published(name: str) -> None:
    """Makes the command of a published data set."""

    @prepare.command(name, help=f"Write {name}, as it was downloaded, or from the Hub, as tar shards.")
    def command(
        source: Source,
        output: Target,
        valid_folds: ValidFolds = "",
        valid_share: ValidShare = 0.0,
        quiet: Quiet = False,
    ) -> None:
        from makesomenoise.data.hub import PRESETS, prepare_hub
        from makesomenoise.data.published_sets import prepare_published

        held = _held(valid_folds, valid_share)
        if re.fullmatch(r"[\w.-]+/[\w.-]+(:[\w.-]+)?", source) and not Path(source).exists():
            _tell(output, prepare_hub(source, output, "train", PRESETS[name], held))
            return
        with progress("Writing shards", quiet) as report:
            done = prepare_published(name, source, output, held, report)
        _tell(output, done)


for _name in ("esc50", "urbansound8k", "fsd50k", "audiocaps", "clotho"):
    _published(_name)


@prepare.command()
def debian(
    output: Target,
    downloads: Annotated[Path, typer.Option(help="Folder that keeps the packages.")] = Path("debian-packages"),
    packages: Annotated[
        list[str] | None, typer.Option("--package", help="Only this one of the table; repeat it.", show_default=False)
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Table of packages, instead of the one that ships.", show_default=False)
    ] = None,
    valid_share: ValidShare = 0.0,
    quiet: Quiet = False,
) -> None:
    """Fetch Debian packages with apt-get, install none, and write their labelled sounds as tar shards."""
    from makesomenoise.data.debian import Packages, prepare_debian

    with progress("Reading packages", quiet) as report:
        found = Packages.read(table)
        done = prepare_debian(output, downloads, found, packages or (), _held("", valid_share), report)
    _tell(output, done)


@prepare.command()
def folder(
    source: Annotated[
        Path, typer.Argument(help="Folder of sounds, labelled by records or folders.", show_default=False)
    ],
    output: Target,
    dataset: Annotated[str, typer.Option(help="Name of the collection; empty: that of the folder.")] = "",
    license: Annotated[str, typer.Option(help="What the sounds may be used for, where records do not say.")] = "",
    trust: Annotated[
        str, typer.Option(help="How far labels are believed: exact, claimed, guessed, rough, spoken.")
    ] = "claimed",
    valid_share: ValidShare = 0.0,
) -> None:
    """Write sounds of your own as tar shards, byte for byte."""
    from makesomenoise.data.own_sounds import Told, prepare_folder

    _tell(output, prepare_folder(source, output, Told(dataset, license, trust), _held("", valid_share)))


@prepare.command()
def simple(
    output: Target,
    count: Annotated[int, typer.Option(min=1, help="How many sounds.")] = 2000,
    seed: Seed = 0,
) -> None:
    """Make tones, sweeps, chords, clicks, noises, hum and silence by formulas, with exact labels."""
    from makesomenoise.data.simple_sounds import prepare_simple

    shards = prepare_simple(output, count, seed)
    typer.echo(f"{output}: {count} clips in {shards} shards.")


@prepare.command()
def hub(  # noqa: PLR0913 - each is an option
    dataset: Dataset,
    output: Target,
    *,
    preset: Preset = None,
    split: Split = "train",
    audio: Column = None,
    label: Column = None,
    caption: Captions = None,
    fold: Column = None,
    group: Column = None,
    key: Column = None,
    license: Column = None,
    valid_folds: ValidFolds = "",
    valid_share: ValidShare = 0.0,
) -> None:
    """Write a data set of the Hub, or a local one of its layout, as tar shards; sounds are streamed, not decoded."""
    from makesomenoise.data.hub import PRESETS, Columns, prepare_hub

    if preset is not None and preset not in PRESETS:
        raise typer.BadParameter(f"unknown preset '{preset}': give one of {', '.join(PRESETS)}.", param_hint="--preset")
    given = {"audio": audio, "label": label, "fold": fold, "group": group, "key": key, "license": license}
    changed = {name: value for name, value in given.items() if value is not None}
    changed |= {"captions": tuple(caption)} if caption else {}
    columns = replace(PRESETS[preset] if preset else Columns(), **changed)
    _tell(output, prepare_hub(dataset, output, split, columns, _held(valid_folds, valid_share)))


def _held(valid_folds: str, valid_share: float) -> "Held":
    from makesomenoise.data.tar_shards import Held

    return Held(tuple(part.strip() for part in valid_folds.split(",") if part.strip()), valid_share)


def _tell(output: Path, done: "Prepared") -> None:
    clips = ", ".join(f"{count} {name}" for name, count in done.clips.items())
    typer.echo(f"{output}: {clips} clips with {done.captions} captions in {done.shards} shards.")
    if done.without_sound:
        names = ", ".join(done.without_sound[:_NAMED])
        show(f"{len(done.without_sound)} rows hold no sound and are left out ({names}).")


def push(
    output: Codes,
    repository: Repository,
    split: Split = "train",
    private: Annotated[bool, typer.Option("--private", help="Only its owner sees it.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Publish code shards as a data set on the Hub, with a card."""
    from makesomenoise.data.publishing import publication
    from makesomenoise.data.publishing import push as publish

    planned = publication(output, repository, split)
    if dry_run:
        for name, path in planned.files.items():
            typer.echo(f"{path} -> {repository}/{name}")
        typer.echo(f"{len(planned.files)} shards, {planned.size_bytes:,} bytes; nothing was sent. The card:\n")
        typer.echo(planned.card)
    else:
        typer.echo(f"Published at {publish(planned, private)}")
