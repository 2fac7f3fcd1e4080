"""Names of sounds that can be said in a sentence, and which labels mean them: an ontology, read from a table.

The labels of most collections come from file names, so how far a label is believed is part of a clip's record: its
trust. What has a name can be put into a scene, asked for and asked about.
"""

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from makesomenoise.errors import DataError
from makesomenoise.files import reason

Trust = Literal["exact", "claimed", "guessed", "rough", "spoken"]
TRUSTS: tuple[Trust, ...] = get_args(Trust)
_COLUMNS = ("name", "heard", "happens", "group", "counted", "labels")
_NEEDED = _COLUMNS[:3]
_SPEECH = "speech"
# How collections of notes and of animals wrap the name of what sounds.
_WRAPPED = re.compile(r"^(?:sound of )?(.+?)(?: single note.*| animal sound| \(animal\))?$")
_WORDS = re.compile(r"[a-z][a-z'-]*(?: [a-z'-]+){0,7}")


class OntologyError(DataError):
    """An ontology that cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Name:
    """How to speak of a sound.

    Attributes:
        name: the short name, as a classifier says it.
        heard: a noun phrase that fits after "I hear".
        happens: a clause that "twice" can follow.
        group: names of one group are easily confused.
        counted: whether it comes in short bursts.
    """

    name: str
    heard: str
    happens: str
    group: str
    counted: bool


class Ontology:
    """Names of sounds.

    Args:
        names: each with the further labels that mean it, in small letters.

    Raises:
        OntologyError: if there is none, or a name or label is there twice.
    """

    def __init__(self, names: Sequence[tuple[Name, Sequence[str]]]):
        self.names: dict[str, Name] = {}
        self._labels: dict[str, str] = {}
        for name, _ in names:
            if name.name in self.names:
                raise OntologyError(f"The ontology has the name '{name.name}' twice: give each name one row.")
            self.names[name.name] = name
            self._labels[name.name] = name.name
        for name, labels in names:
            for label in labels:
                if self._labels.setdefault(label, name.name) != name.name:
                    raise OntologyError(
                        f"The ontology has the label '{label}' for '{self._labels[label]}' and for '{name.name}'."
                    )
        if not names:
            raise OntologyError("The ontology has no names: give each a row.")

    @classmethod
    def read(cls, path: str | Path) -> "Ontology":
        """Reads a table whose columns are separated by tabs.

        Its first row names the columns: `name`, `heard` (a noun phrase that fits after "I hear"), `happens` (a clause
        that "twice" can follow); and where wanted `group` (names of one group are easily confused), `counted` (`yes`
        for what comes in short bursts), `labels` (further labels that mean it, separated by commas).

        Raises:
            OntologyError: if the file cannot be read or is no such table.
        """
        try:
            return cls(_rows(Path(path).read_text(encoding="utf-8"), str(path)))
        except OSError as error:
            raise OntologyError(f"The ontology {path} cannot be read: {reason(error)}.") from None
        except UnicodeDecodeError:
            raise OntologyError(f"The ontology {path} is not a text in UTF-8.") from None

    @cached_property
    def digest(self) -> str:
        """Of all that it says."""
        about = repr((sorted(self.names.items()), sorted(self._labels.items())))
        return hashlib.sha256(about.encode()).hexdigest()[:16]

    def find(self, label: str, trust: str = "claimed") -> Name | None:
        """The name that a label means, or nothing where the label is not to be trusted.

        Args:
            label: as the record of a clip has it.
            trust: how far it is believed, one of `TRUSTS`. A label that is not in the ontology is a name of its own,
                if it is of words and not `rough`; of `spoken` ones all mean speech.
        """
        text = _SPEECH if trust == "spoken" else " ".join(label.lower().split())
        match = _WRAPPED.match(text)
        known = self._labels.get(text) or (self._labels.get(match[1]) if match else None)
        if known is not None:
            return self.names[known]
        if trust == "rough" or not _WORDS.fullmatch(text):
            return None
        return Name(text, f"the sound of {text}", f"there is the sound of {text}", text, counted=False)


@lru_cache(maxsize=1)
def default_ontology() -> Ontology:
    """The names that ship."""
    return Ontology(_rows(_own("ontology.tsv"), "ontology.tsv"))


def ontology(path: str | Path | None) -> Ontology:
    """That of a file, or the one that ships where there is none.

    Raises:
        OntologyError: see `Ontology.read`.
    """
    return default_ontology() if path is None else Ontology.read(path)


def usual_trust(dataset: str) -> Trust:
    """How far the labels of a collection are believed whose records do not tell."""
    return _collections().get(dataset, "claimed")


@lru_cache(maxsize=1)
def _collections() -> Mapping[str, Trust]:
    known: dict[str, Trust] = {trust: trust for trust in TRUSTS}
    rows = csv.DictReader(_own("collections.tsv").splitlines(), delimiter="\t")
    return {str(row["collection"]): known[row["trust"]] for row in rows}


def _own(name: str) -> str:
    return resources.files("makesomenoise.data").joinpath(name).read_text(encoding="utf-8")


def _rows(text: str, place: str) -> list[tuple[Name, list[str]]]:
    table = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [column for column in _NEEDED if column not in (table.fieldnames or ())]
    unknown = [column for column in table.fieldnames or () if column not in _COLUMNS]
    if missing or unknown:
        wrong = f"lacks the column '{missing[0]}'" if missing else f"has the unknown column '{unknown[0]}'"
        raise OntologyError(f"The ontology {place} {wrong}: expected {', '.join(_COLUMNS)}, separated by tabs.")
    return [_row(row, f"{place}, line {table.line_num}") for row in table]


def _row(row: Mapping[str | None, str | None], place: str) -> tuple[Name, list[str]]:
    cells = {column: (row.get(column) or "").strip() for column in _COLUMNS}
    if None in row or any(not cells[column] for column in _NEEDED):
        raise OntologyError(f"{place}: a row needs {', '.join(_NEEDED)}, and no more cells than the first row.")
    if cells["counted"] not in ("", "yes", "no"):
        raise OntologyError(f"{place}: 'counted' is yes or no, not '{cells['counted']}'.")
    labels = [label for part in cells["labels"].split(",") if (label := " ".join(part.lower().split()))]
    name = " ".join(cells["name"].lower().split())
    counted = cells["counted"] == "yes"
    return Name(name, cells["heard"], cells["happens"], cells["group"] or name, counted), labels
