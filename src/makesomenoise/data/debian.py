"""Sounds of Debian packages as tar shards: `apt-get download`, unpacked without root, labelled by rules.

Which packages, under which licence, and which paths of them mean which sound, stands in a table
(`debian_sounds.tsv`, or one of the user's). What no rule names is left out. Nothing is installed.
"""

import csv
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.data.tar_shards import Held, Prepared, PreparedClip, SplitShards, claim, safe_key
from makesomenoise.errors import DataError
from makesomenoise.files import make_folder, reason

DATASET = "debian"
_COLUMNS = ["package", "license", "path", "label"]

Report = Callable[[int, int], object]


class DebianError(DataError):
    """Packages that no shards can be made of; the message is one sentence for the user."""


@dataclass(frozen=True)
class Rule:
    """Which sounds of a package mean what.

    Attributes:
        license: of the sounds.
        path: found in the path of a sound file, it decides on its label.
        label: what is heard.
    """

    license: str
    path: re.Pattern[str]
    label: str


@dataclass(frozen=True)
class Packages:
    """A table of packages.

    Attributes:
        rules: of each package, the first that fits counts.
    """

    rules: Mapping[str, Sequence[Rule]]

    @classmethod
    def read(cls, path: str | Path | None = None) -> "Packages":
        """Reads a table whose columns are separated by tabs: `package`, `license`, `path` (an expression), `label`.

        Args:
            path: none: the table that ships.

        Raises:
            DebianError: if it cannot be read or is no such table.
        """
        try:
            text = _own() if path is None else Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            told = reason(error) if isinstance(error, OSError) else "it is not in UTF-8"
            raise DebianError(f"The table of packages {path} cannot be read: {told}.") from None
        table = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
        if table.fieldnames != _COLUMNS:
            raise DebianError(f"The table of packages {path} has other columns than {', '.join(_COLUMNS)}.")
        rules: dict[str, list[Rule]] = {}
        for row in table:
            place = f"The table of packages {path}, line {table.line_num}"
            rules.setdefault(str(row["package"]), []).append(_rule(row, place))
        if not rules:
            raise DebianError(f"The table of packages {path} names none.")
        return cls(rules)


def prepare_debian(
    output: str | Path,
    downloads: str | Path,
    packages: Packages | None = None,
    names: Sequence[str] = (),
    held: Held | None = None,
    report: Report | None = None,
) -> Prepared:
    """Writes the labelled sounds of packages as tar shards; what is downloaded or written already stays.

    Args:
        output: folder of the shards; made if missing.
        downloads: folder of the packages (`.deb`); those that are missing are fetched with apt-get.
        packages: what they hold; none: the table that ships.
        names: which of them; all where none is named.
        held: what becomes the valid split; packages are never torn.
        report: called with the numbers of packages done and of all.

    Raises:
        DebianError: if a package is not in the table, cannot be fetched or unpacked, or holds none of the sounds.
        ShardError: if the folder holds another preparation.
        FileError: if a folder cannot be written.
    """
    packages, held, output = packages or Packages.read(), held or Held(), Path(output)
    chosen = list(names) or list(packages.rules)
    unknown = [name for name in chosen if name not in packages.rules]
    if unknown:
        raise DebianError(f"The table has no package '{unknown[0]}': it has {', '.join(packages.rules)}.")
    make_folder(downloads)
    claim(output, "all", {"source": DATASET, "packages": chosen, "share": held.share})
    shards = SplitShards(output)
    for number, name in enumerate(chosen):
        split = held.split("", name, "train")
        clips = list(_clips(name, _package(name, Path(downloads)), packages.rules[name]))
        if not clips:
            raise DebianError(f"The package {name} holds none of the sounds that the table names: mend its rules.")
        for clip in clips:
            shards.add(split, clip)
        if report is not None:
            report(number + 1, len(chosen))
    return shards.close()


def _rule(row: Mapping[str, str], place: str) -> Rule:
    if not all(row[name] for name in _COLUMNS) or None in row:
        raise DebianError(f"{place}: a row has {', '.join(_COLUMNS)}.")
    try:
        return Rule(row["license"], re.compile(row["path"]), row["label"])
    except re.error as error:
        raise DebianError(f"{place}: '{row['path']}' is no regular expression ({error}).") from None


def _package(name: str, downloads: Path) -> Path:
    """The file of a package, fetched if it is not there."""
    found = sorted(downloads.glob(f"{name}_*.deb"))
    if found:
        return found[-1]
    _run(["apt-get", "download", name], name, downloads)
    found = sorted(downloads.glob(f"{name}_*.deb"))
    if not found:
        raise DebianError(f"apt-get fetched no package {name}: run apt-get update, or put its .deb into {downloads}.")
    return found[-1]


def _clips(name: str, package: Path, rules: Sequence[Rule]) -> Iterator[PreparedClip]:
    """The sounds of a package that a rule names, in the order of the package."""
    data = _run(["dpkg-deb", "--fsys-tarfile", str(package.resolve())], name, package.parent)
    with tarfile.open(fileobj=io.BytesIO(data)) as files:
        for member in files:
            suffix = PurePosixPath(member.name).suffix.lower()
            rule = next((rule for rule in rules if rule.path.search(member.name)), None)
            file = files.extractfile(member) if member.isreg() and suffix in SUFFIXES and rule else None
            if file is not None and rule is not None:
                record = {"dataset": DATASET, "label": rule.label, "trust": "claimed", "license": rule.license}
                key = safe_key(f"{name}-{PurePosixPath(member.name).with_suffix('')}")
                yield PreparedClip(key.replace("_usr_share_", "_"), file.read(), suffix, record)


def _run(command: list[str], package: str, folder: Path) -> bytes:
    """What a program prints, or why it cannot be had of it."""
    if shutil.which(command[0]) is None:
        raise DebianError(f"{command[0]} is not on this machine: packages are read on Debian and what comes of it.")
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise DebianError(f"{' '.join(command[:2])} failed for {package}: {told[-1].rstrip('.')}.")
    return done.stdout


def _own() -> str:
    return resources.files("makesomenoise.data").joinpath("debian_sounds.tsv").read_text(encoding="utf-8")
