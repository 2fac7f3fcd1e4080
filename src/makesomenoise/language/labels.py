"""Names of the classes of public collections, as plain words: lists of labels to choose from by one name."""

import csv
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources


@lru_cache(maxsize=1)
def label_sets() -> Mapping[str, tuple[str, ...]]:
    """The labels of each set of `label_sets.tsv`, by its name."""
    text = resources.files("makesomenoise.language").joinpath("label_sets.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["name"]: tuple(label.strip() for label in row["labels"].split(",")) for row in rows}
