"""`msn data`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli import data_prepare
from makesomenoise.cli.errors import show
from makesomenoise.cli.options import Device, Json, Model, OntologyFile, Seed
from makesomenoise.cli.progress import progress

app = typer.Typer(no_args_is_help=True, help="Prepare data: `msn data encode corpus/train-*.tar codes/train`.")

Sources = Annotated[
    list[str],
    typer.Argument(help="Tar shards, folders, Parquet files, or addresses (s3://, hf://).", show_default=False),
]
Folder = Annotated[Path, typer.Argument(help="Folder of the code shards.", show_default=False)]
WorkerCount = Annotated[int, typer.Option("--workers", min=1, help="Number of processes, or of Ray's actors.")]
Scenes = Annotated[int, typer.Option(min=0, help="How many scenes to make of the clips, with questions and answers.")]
Pairs = Annotated[int, typer.Option(min=0, help="How many short scenes of two sounds to make, one clearly louder.")]
Bursts = Annotated[
    int, typer.Option(min=0, help="How many scenes to make of one short sound, some times, and silence.")
]
Copies = Annotated[int, typer.Option(min=0, help="How many varied copies to add of each clip whose label is trusted.")]
LeaveOut = Annotated[
    Path | None,
    typer.Option("--leave-out", help="File of keys, one a line, of clips to leave out.", show_default=False),
]
Cache = Annotated[Path | None, typer.Option(help="Folder that keeps decoded clips for later runs.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Work on a Ray cluster: HOST:PORT, ray://HOST:PORT or auto; alone, on one started here.",
        show_default=False,
    ),
]
_NAMED = 10  # of what cannot be read


@app.command()
def encode(  # noqa: PLR0913 - each is an option
    sources: Sources,
    output: Folder,
    *,
    model: Model = "default",
    workers: WorkerCount = 2,
    device: Device = "cpu",
    ray: RayAddress = None,
    scenes: Scenes = 0,
    pairs: Pairs = 0,
    bursts: Bursts = 0,
    copies: Copies = 0,
    seed: Seed = 0,
    cache: Cache = None,
    ontology_file: OntologyFile = None,
    leave_out: LeaveOut = None,
) -> None:
    """Encode shards or folders of sound into code shards; run it again to go on where it stopped."""
    from makesomenoise.data.encode import FAILED_FILE, Workers, encode_corpus
    from makesomenoise.data.jobs import Added
    from makesomenoise.data.ontology import ontology
    from makesomenoise.data.sources import read_keys

    names, without = ontology(ontology_file), read_keys(leave_out) if leave_out else frozenset()
    team = Workers(workers, device, cache, ray)
    with progress("Encoding clips") as report:
        added = Added(scenes, pairs, bursts, copies, seed)
        done = encode_corpus(sources, output, model, team, added, report, names, without)
    hours = done.seconds / 3600
    skipped = f", {len(done.failed)} failed" if done.failed else ""
    typer.echo(f"{output}: {done.clips} clips ({hours:.2f} h) encoded, {done.kept} there before{skipped}.")
    for failure in done.failed[:_NAMED]:
        show(failure.reason)
    if len(done.failed) > _NAMED:
        show(f"{len(done.failed) - _NAMED} more failed; all of them stand in {output / FAILED_FILE}.")


@app.command()
def overlap(
    first: Annotated[
        Path, typer.Argument(help="Tar shards or a folder; FIRST-*.tar means all that fit.", show_default=False)
    ],
    second: Annotated[Path, typer.Argument(help="The same of another corpus.", show_default=False)],
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File that gets the keys of FIRST that are in SECOND, for `--leave-out`.", show_default=False
        ),
    ] = None,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least share of a recording that must agree.")] = 0.1,
    as_json: Json = False,
) -> None:
    """Find recordings of one corpus in another: recoded, louder or softer, cut at the ends, but at the same speed."""
    import json
    from dataclasses import asdict

    from makesomenoise.data.fingerprints import overlaps
    from makesomenoise.data.manifest import read_clips
    from makesomenoise.files import write_text

    with progress("Listening") as report:
        found = overlaps(read_clips([first]), read_clips([second]), least, report)
    for one in found:
        typer.echo(json.dumps(asdict(one)) if as_json else f"{one.first}\t{one.second}\t{one.share:.2f}")
    names = list(dict.fromkeys(one.first for one in found))
    if keys is not None:
        write_text(keys, "".join(f"{name}\n" for name in names))
    if not as_json:
        typer.echo(f"{len(names)} clips of {first} are in {second}.")


@app.command()
def stats(output: Folder, as_json: Json = False) -> None:
    """Count what code shards hold: hours, clips, failures, codes used, perplexity, duplicates."""
    import json
    from dataclasses import asdict

    from makesomenoise.data.statistics import corpus_statistics

    found = corpus_statistics(output)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(f"{output}: {found.shards} shards of the tokenizer {found.fingerprint}")
    typer.echo(f"{'source':24} {'clips':>9} {'hours':>9} {'codes':>11} {'used':>6} {'perplexity':>10}")
    for one in (*found.sources, found.total):
        shown = f"{one.codes:11d} {one.codes_used:6d} {one.perplexity:10.1f}"
        typer.echo(f"{one.name:24.24} {one.clips:9d} {one.hours:9.2f} {shown}")
    typer.echo(
        f"{found.failures} failed, {found.repeated_ids} rows repeat the id of another, "
        f"{found.equal_codes} clips have the codes of another."
    )


app.add_typer(data_prepare.prepare, name="prepare")
app.command()(data_prepare.push)
