"""`msn data`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Inputs, Model, OntologyFile, Seed
from makesomenoise.cli.progress import progress

app = typer.Typer(no_args_is_help=True, help="Prepare data: `msn data encode corpus/train-*.tar codes/train`.")

Folder = Annotated[Path, typer.Argument(help="Folder of the code shards.", show_default=False)]
Workers = Annotated[int, typer.Option(min=1, help="Number of processes.")]
Scenes = Annotated[int, typer.Option(min=0, help="How many scenes to make of the clips, with questions and answers.")]
Pairs = Annotated[int, typer.Option(min=0, help="How many short scenes of two sounds to make, one clearly louder.")]
Copies = Annotated[int, typer.Option(min=0, help="How many varied copies to add of each clip whose label is trusted.")]
Cache = Annotated[Path | None, typer.Option(help="Folder that keeps decoded clips for later runs.")]
_NAMED = 10  # of the clips that cannot be read


@app.command()
def encode(  # noqa: PLR0913 - each is an option
    sources: Inputs,
    output: Folder,
    *,
    model: Model = "default",
    workers: Workers = 2,
    scenes: Scenes = 0,
    pairs: Pairs = 0,
    copies: Copies = 0,
    seed: Seed = 0,
    cache: Cache = None,
    ontology_file: OntologyFile = None,
) -> None:
    """Encode shards or folders of sound into code shards; run it again to go on where it stopped."""
    from makesomenoise.data.encode import encode_corpus
    from makesomenoise.data.jobs import Added
    from makesomenoise.data.ontology import ontology

    names = ontology(ontology_file)

    with progress("Encoding clips") as report:
        done = encode_corpus(sources, output, model, workers, Added(scenes, pairs, copies, seed), cache, report, names)
    hours = done.seconds / 3600
    skipped = f", {len(done.skipped)} skipped" if done.skipped else ""
    typer.echo(f"{output}: {done.clips} clips ({hours:.2f} h) encoded, {done.kept} there before{skipped}.")
    for sentence in done.skipped[:_NAMED]:
        typer.echo(f"msn: {sentence}", err=True)
    if len(done.skipped) > _NAMED:
        typer.echo(f"msn: {len(done.skipped) - _NAMED} more clips cannot be read and are skipped.", err=True)
