"""The names to choose from, in whatever form they are typed."""

import re
from collections.abc import Sequence
from pathlib import Path

from makesomenoise.errors import RequestError
from makesomenoise.language.labels import label_sets

_MOST_BYTES = 1_000_000


class LabelsError(RequestError):
    """Labels that cannot be used; the message is one sentence for the user."""


def chosen(given: Sequence[str], label_set: str | None) -> list[str]:
    """The names to choose from.

    Args:
        given: what `--labels` was given, each time: names between commas or semicolons, or the name of a file of them.
        label_set: name of a set instead.

    Raises:
        LabelsError: if neither or both ways of giving them are used, the set is unknown, a file cannot be read, or
            there is no label, an empty one, one twice or one alone.
    """
    if bool(given) == (label_set is not None):
        raise LabelsError("Give the names to choose from either with --labels dog,rain,siren or with --label-set.")
    if label_set is not None:
        known = label_sets()
        if label_set not in known:
            raise LabelsError(f"No label set '{label_set}': there are {', '.join(known)}.")
        return list(known[label_set])
    return _checked([name for text in given for name in _names(text)])


def _names(text: str) -> list[str]:
    if re.fullmatch(r"\S.*\.(txt|csv|tsv|list|labels)", text) and not re.search("[,;\n]", text):
        return _of_file(Path(text))
    return _separated(text)


def _separated(text: str) -> list[str]:
    """Names between semicolons where there are any, else between commas or lines; one separator may end them."""
    between = ";" if ";" in text else "[,\n]"
    return [name.strip() for name in re.split(between, re.sub(r"[\s,;]+$", "", text))]


def _of_file(path: Path) -> list[str]:
    """Names of a file, one a line, or all in one line."""
    try:
        text = path.read_bytes()[:_MOST_BYTES].decode("utf-8-sig")
    except OSError as error:
        raise LabelsError(f"Cannot read the labels {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise LabelsError(f"Cannot read the labels {path}: it is not text in UTF-8.") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines if len(lines) > 1 else _separated(text)


def _checked(names: list[str]) -> list[str]:
    lowered = [name.lower() for name in names]
    twice = [name for n, name in enumerate(names) if name.lower() in lowered[:n]]
    if not names or not all(names):
        raise LabelsError("Give at least two labels, and none that is empty: --labels dog,rain,siren")
    if twice:
        raise LabelsError(f"The label '{twice[0]}' is given twice: give each once.")
    if len(names) == 1:
        meant = ",".join(names[0].split()) if " " in names[0] else f"{names[0]},something else"
        raise LabelsError(f"'{names[0]}' is the only label, which leaves nothing to choose: --labels '{meant}'?")
    return names
