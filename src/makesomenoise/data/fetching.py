"""Sources that lie elsewhere or in Parquet files: whoever encodes them brings them into a temporary folder.

A cluster reads each of them once, on the machine that encodes it. Beside its shards lies a small file that says what
the source was like: as long as the source stays as it is, it is not brought again.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from makesomenoise.data.attempts import attempts_file
from makesomenoise.data.codes import SUFFIX, Failure, Stamp
from makesomenoise.data.job_encoding import Engine, JobResult, encode_job
from makesomenoise.data.jobs import Job, left_over, parts_of
from makesomenoise.data.manifest import ManifestError, read_clips
from makesomenoise.data.parquet_sounds import unpack
from makesomenoise.errors import DataError
from makesomenoise.files import make_folder, write_text

_OF_MANY = (".tar", SUFFIX)


class AddressError(DataError):
    """An address that gives nothing; the message is one sentence for the user."""


@dataclass(frozen=True)
class Fetch:
    """One tar, Parquet file or folder to be brought and encoded.

    Attributes:
        address: as fsspec takes it, or the path of a Parquet file.
        name: which its shards have.
        output: folder of the shards.
        stamp: of the tokenizer, with the address and what tells whether it has changed.
    """

    address: str
    name: str
    output: Path
    stamp: Stamp

    @property
    def size(self) -> int:
        """Number of clips; 0 as long as nobody has seen them."""
        return int((_read(self.record) or {}).get("clips", 0))

    @property
    def record(self) -> Path:
        """The file that says that it was done."""
        return self.output / f".{self.name}.fetched.json"

    def shards(self) -> tuple[str, ...]:
        """Names of its shards, as far as it was done."""
        return tuple((_read(self.record) or {}).get("shards", ()))

    def is_done(self) -> bool:
        """Whether its shards are there and up to date."""
        known = _read(self.record)
        if known is None or known["stamp"] != asdict(self.stamp):
            return False
        return all((self.output / shard).exists() for shard in known["shards"])

    def is_begun(self) -> bool:
        """Whether one of its clips was being read when a process died."""
        return any(self.output.glob(attempts_file(Path(f"{self.name}-*{SUFFIX}")).name))

    def check_place(self) -> None:
        """Refuses to write over the codes of another source that has the same name.

        Raises:
            JobError: if the shard that is there was made from another place.
        """
        Job(self.output / f"{self.name}-000{SUFFIX}", (), self.stamp).check_place()


Work = Job | Fetch


def do_work(work: Work, engine: Engine) -> JobResult:
    """Does one piece of work; errors as `encode_job`."""
    return encode_job(work, engine) if isinstance(work, Job) else _fetched(work, engine)


def fetched_damage(output: Path) -> list[Failure]:
    """What of the sources that were brought could not be read."""
    known = [_read(record) for record in sorted(output.glob(".*.fetched.json"))]
    return [Failure(**one) for record in known if record for one in record.get("damage", ())]


def _fetched(fetch: Fetch, engine: Engine) -> JobResult:
    if fetch.is_done():
        return JobResult(fetch.size, 0, 0.0, fetch.shards())
    damaged: dict[Path, str] = {}
    with tempfile.TemporaryDirectory(prefix="makesomenoise-") as scratch:
        try:
            clips = read_clips([_brought(fetch, Path(scratch))], damaged)
        except (AddressError, ManifestError) as error:
            # It may be there tomorrow, so nothing is recorded.
            return JobResult(0, 0, 0.0, (), (Failure(fetch.name, str(error)),))
        jobs = list(parts_of(clips, fetch.name, fetch.output, fetch.stamp))
        results = [encode_job(job, engine) for job in jobs]
    for path in left_over(jobs):
        path.unlink(missing_ok=True)
    shards = tuple(shard for result in results for shard in result.shards)
    damage = [asdict(Failure(fetch.name, told.replace(str(path), fetch.address))) for path, told in damaged.items()]
    record = {"stamp": asdict(fetch.stamp), "clips": len(clips), "shards": shards, "damage": damage}
    write_text(fetch.record, json.dumps(record))
    return JobResult(len(clips), sum(r.clips for r in results), sum(r.seconds for r in results), shards)


def _brought(fetch: Fetch, scratch: Path) -> Path:
    """The tar or folder of sounds that lies here now."""
    target = scratch / PurePosixPath(fetch.address).name
    if "://" not in fetch.address:
        return unpack(Path(fetch.address), scratch / f"{fetch.name}.tar")
    fs, path = _file_system(fetch.address)
    try:
        if target.suffix in _OF_MANY:
            fs.get_file(path, str(target))
        else:
            fs.get(path.rstrip("/") + "/", str(make_folder(target)) + "/", recursive=True)
    except Exception as error:  # every backend has errors of its own
        raise _no_answer(fetch.address, error) from None
    return unpack(target, scratch / f"{fetch.name}.tar") if target.suffix == SUFFIX else target


def expanded(address: str) -> list[str]:
    """The tars and Parquet files of an address, or the address itself if it is a folder of sounds.

    Args:
        address: as fsspec takes it; a `*` in it stands for any letters.

    Raises:
        AddressError: if nothing is there, if nobody answers, or if a package is missing that speaks its protocol.
    """
    fs, path = _file_system(address)
    try:
        found = sorted(fs.glob(path)) if "*" in path else [path] if fs.exists(path) else []
        if len(found) == 1 and fs.isdir(found[0]):
            inside = sorted(fs.find(found[0], maxdepth=1))
            found = [one for one in inside if PurePosixPath(one).suffix in _OF_MANY] or found * bool(inside)
    except Exception as error:  # every backend has errors of its own
        raise _no_answer(address, error) from None
    if not found:
        raise AddressError(f"There is nothing at {address}: give tar shards, Parquet files or a folder of sounds.")
    return [fs.unstrip_protocol(one) for one in found]


def identity(address: str) -> str:
    """What tells whether the thing at an address has changed.

    Raises:
        AddressError: if nobody answers.
    """
    fs, path = _file_system(address)
    try:
        return str(fs.checksum(path))
    except Exception as error:  # every backend has errors of its own
        raise _no_answer(address, error) from None


def _file_system(address: str) -> tuple[Any, str]:
    import fsspec  # noqa: PLC0415 - only for addresses

    try:
        return fsspec.url_to_fs(address)
    except ImportError as error:
        raise AddressError(f"Cannot open {address}: {error} (pip install it beside makesomenoise).") from None
    except Exception as error:  # every backend has errors of its own
        raise _no_answer(address, error) from None


def _no_answer(address: str, error: Exception) -> AddressError:
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return AddressError(f"Cannot read {address}: {said.rstrip('.')}; check the address and your access to it.")


def _read(record: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        return known if isinstance(known, dict) and {"stamp", "shards"} <= set(known) else None
    except (OSError, ValueError):
        return None


def fetches(addresses: Sequence[str], names: dict[str, str], output: Path, stamp: Stamp) -> list[Fetch]:
    """The work on addresses.

    Args:
        addresses: as `expanded` gives them, or paths of Parquet files.
        names: of their shards.
        output: folder of the shards.
        stamp: of the tokenizer.
    """
    return [Fetch(one, names[one], output, replace(stamp, made_from=identity(one), source=one)) for one in addresses]
