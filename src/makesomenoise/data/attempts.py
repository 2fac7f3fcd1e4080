"""What a job was at when its process died, so that a clip that kills its reader again and again is found and left out.

A small file lies beside the shard while it is being made. It says which clip is being read, and how often a process has
died at which: whoever takes the job up again counts one more. A process that is killed from outside is forgiven, since
that hardly happens three times at the same clip.
"""

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

from makesomenoise.files import cannot

MOST_DEATHS = 3


class Attempts:
    """Counts the deaths of a job's processes by clip.

    Args:
        target: the shard that is being made.
    """

    def __init__(self, target: Path):
        self._path = attempts_file(target)
        self._deaths = _read(self._path)

    def is_fatal(self, number: int) -> bool:
        """Whether a clip has killed its process too often."""
        return self._deaths[number] >= MOST_DEATHS

    def begin(self, number: int) -> None:
        """Notes that a clip is about to be read.

        Raises:
            FileError: if that cannot be written.
        """
        try:
            self._path.write_text(json.dumps({"at": number, "deaths": self._deaths}), encoding="utf-8")
        except OSError as error:
            raise cannot("write", self._path, error) from None

    def end(self) -> None:
        """Forgets it all."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def attempts_file(target: Path) -> Path:
    """Where it is noted what the job of a shard is at."""
    return target.with_name(f".{target.stem}.attempts")


def _read(path: Path) -> Counter[int]:
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        deaths = Counter({int(number): int(count) for number, count in noted["deaths"].items()})
        deaths[int(noted["at"])] += 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Counter()  # the first attempt, or one that died while it noted this
    return deaths
