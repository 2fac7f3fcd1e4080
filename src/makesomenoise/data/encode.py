"""A corpus to code shards, on one machine or on a cluster, with scenes made from it and varied copies.

The work is cut into jobs (`jobs.py`), each of which becomes one Parquet shard, whole or not at all. A job whose shard
is there already, made by the same tokenizer from the same clips, is not done again: a run that was interrupted goes on
where it stopped, whether it began on one machine or on many. What could not be encoded stands in `failed.jsonl`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import SUFFIX, Failure, Stamp, read_failures, read_stamp
from makesomenoise.data.fetching import Work, fetched_damage
from makesomenoise.data.job_encoding import EncodeError, Engine, JobResult
from makesomenoise.data.jobs import Added, Job, added_jobs, left_over
from makesomenoise.data.ontology import Ontology, default_ontology
from makesomenoise.data.processes import in_processes
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.data.sources import listed
from makesomenoise.engine.onnx import usual_threads
from makesomenoise.files import make_folder, sweep, write_text

Report = Callable[[int, int], None]
FAILED_FILE = "failed.jsonl"
_WRITTEN_LONG_AGO = 600.0  # seconds; a shard is written in one or two


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        count: number of processes, or of actors; with one process, the work is done in the calling one.
        device: where each of them computes.
        cache: folder that keeps decoded clips for later runs, or none.
        ray: address of a Ray cluster, `local` for one that is started on this machine, or none for plain processes.
    """

    count: int = 1
    device: str = "cpu"
    cache: str | Path | None = None
    ray: str | None = None

    def results(self, work: Sequence[Work], tokenizer: str) -> Iterator[JobResult]:
        """Does the work, and gives results as they come."""
        cache = str(self.cache) if self.cache is not None else None
        if self.ray is None:
            threads = usual_threads(min(self.count, max(len(work), 1)))
            return in_processes(work, Engine(tokenizer, self.device, cache, threads), self.count)
        from makesomenoise.data.ray_actors import on_ray  # noqa: PLC0415 - Ray is an extra

        return on_ray(work, Engine(tokenizer, self.device, cache, threads=1), self.count, self.ray)  # a core each


@dataclass(frozen=True)
class Encoded:
    """What an encoding came to.

    Attributes:
        clips: clips and scenes encoded now.
        seconds: their length.
        kept: clips and scenes whose shards were there already.
        failed: what of the folder could not be encoded, now or before; also in `failed.jsonl`.
    """

    clips: int
    seconds: float
    kept: int
    failed: tuple[Failure, ...]


def encode_corpus(
    sources: Iterable[str | Path],
    output: str | Path,
    tokenizer: str | Path = "default",
    workers: Workers | None = None,
    added: Added | None = None,
    report: Report | None = None,
    ontology: Ontology | None = None,
    leave_out: Collection[str] = (),
) -> Encoded:
    """Encodes every clip of the sources, and what is made of them.

    Args:
        sources: tar shards and folders, as for `read_clips`, Parquet files, and addresses of such (`s3://`, `hf://`).
        output: folder of the code shards, which all workers see; made if missing.
        tokenizer: a model folder, a bundled name or a Hub id.
        workers: who does the work; where it is not given, this process.
        added: scenes and copies; none where it is not given.
        report: called with the numbers of clips done and of all clips that are known of, now and again.
        ontology: names the sounds of scenes; none: the one that ships.
        leave_out: keys of clips that lie here and are not wanted.

    Raises:
        EncodeError: if the output is a file or holds the codes of another tokenizer, or if processes die.
        JobError: if codes of another corpus would be written over.
        ManifestError: if a source does not exist or holds nothing, or an address does not answer.
        SceneError: if scenes, pairs or bursts are asked for and there are too few labelled sounds.
    """
    output, workers, added = Path(output), workers or Workers(), added or Added()
    ontology = ontology or default_ontology()
    stamp = Engine(str(tokenizer)).stamp
    found = listed(sources, output, stamp, leave_out)
    trusted = [clip for clip in found.clips if clip.trust != "guessed" and ontology.find(clip.label, clip.trust)]
    _check(output, stamp)
    if added.scenes or added.pairs or added.bursts:
        SceneMaker(ClipStore(trusted, 1), ontology)  # says now if there are too few sounds
    work: list[Work] = [*found.work, *added_jobs(trusted, output, stamp, added, ontology)]
    waiting = [one for one in work if not one.is_done()]
    for one in waiting:
        one.check_place()
    make_folder(output)
    sweep(output, least_age=_WRITTEN_LONG_AGO)
    for path in left_over([one for one in work if isinstance(one, Job)]):
        path.unlink()
    kept = sum(one.size for one in work) - sum(one.size for one in waiting)
    made: list[JobResult] = []
    for result in workers.results(waiting, str(tokenizer)):
        _check_seen(output, result)
        made.append(result)
        if report is not None:
            report(kept + sum(one.size for one in made), kept + _known(waiting, made))
    own = (*found.damaged, *(one for result in made for one in result.failures))
    failed = _all_failures(output, own, {one.name for one in work})
    _write_failed(output / FAILED_FILE, failed)
    return Encoded(sum(one.clips for one in made), sum(one.seconds for one in made), kept, failed)


def _check(output: Path, stamp: Stamp) -> None:
    """Refuses a folder that cannot hold the codes; those of two tokenizers together would be of no use to anybody."""
    if output.exists() and not output.is_dir():
        raise EncodeError(f"{output} is a file: give a folder for the code shards.")
    for path in sorted(output.glob(f"*{SUFFIX}")):
        found = read_stamp(path).fingerprint
        if found != stamp.fingerprint:
            raise EncodeError(
                f"{output} holds codes of the tokenizer {found}, and this one is {stamp.fingerprint}: "
                "give an empty folder, or remove what is in it."
            )


def _check_seen(output: Path, result: JobResult) -> None:
    for name in result.shards:
        if not (output / name).exists():
            raise EncodeError(
                f"A worker wrote {name} where this machine does not see it: give a folder that all machines share, "
                f"under the same name, in place of {output}."
            )


def _known(waiting: Sequence[Work], made: Sequence[JobResult]) -> int:
    """Number of clips of what waited, as far as they are known by now."""
    return max(sum(one.size for one in waiting if isinstance(one, Job)), sum(one.size for one in made))


def _all_failures(output: Path, own: Sequence[Failure], names: set[str]) -> tuple[Failure, ...]:
    """What stands in a folder's shards, beside what this run found and what others found of other sources."""
    others = [one for one in read_failed(output) if "/" not in one.id and one.id not in names | {o.id for o in own}]
    inside = [one for path in sorted(output.glob(f"*{SUFFIX}")) for one in read_failures(path)]
    return tuple(dict.fromkeys((*own, *fetched_damage(output), *others, *inside)))


def read_failed(output: Path) -> list[Failure]:
    """What `failed.jsonl` of a folder names; nothing where there is none.

    Raises:
        EncodeError: if it is not what an encoding wrote.
    """
    path = output / FAILED_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [Failure(**json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError):
        raise EncodeError(f"{path} is not a list of clips that failed: remove it, and it is written anew.") from None


def _write_failed(path: Path, failed: Sequence[Failure]) -> None:
    if failed:
        write_text(path, "".join(f"{json.dumps(asdict(failure))}\n" for failure in failed))
    else:
        path.unlink(missing_ok=True)
