"""What an evaluation has found so far, kept as JSON, so that a run that was stopped goes on where it was."""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from makesomenoise.files import make_folder, write_text

Item = TypeVar("Item")
_BETWEEN_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Parts:
    """A folder of answers to questions; what depends on other models or settings has other names.

    Args:
        folder: made if missing.
        identity: what all answers depend on.
    """

    def __init__(self, folder: Path, identity: str):
        self._folder, self._identity = folder, identity

    def whole(self, name: str, about: object, make: Callable[[], Any]) -> Any:
        """An answer that is found at once.

        Args:
            name: of the question.
            about: what else it depends on, as JSON takes it.
            make: finds it, as JSON takes it; not called if it was found before.
        """
        path = self._path(name, about)
        if not path.exists():
            started = time.monotonic()
            _write(path, make())
            _log.info("%s: %.0f s", name, time.monotonic() - started)
        return json.loads(path.read_text(encoding="utf-8"))

    def each(
        self, name: str, about: object, items: Sequence[Item], make: Callable[[Sequence[Item]], list], at_once: int = 1
    ) -> list:
        """An answer for each item; those found before are not looked for again.

        Args:
            name: of the question.
            about: what else the answers depend on, as JSON takes it; also tells what the items are.
            items: in an order that is always the same.
            make: finds the answers for some items, one for each, as JSON takes them.
            at_once: how many items it is given.
        """
        path = self._path(name, about)
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        first, started = len(found), time.monotonic()
        kept = started
        while len(found) < len(items):
            some = items[len(found) : len(found) + at_once]
            answers = make(some)
            if len(answers) != len(some):
                raise ValueError(f"Got {len(answers)} answers for {len(some)} items of '{name}'.")
            found += answers
            now = time.monotonic()
            if now - kept > _BETWEEN_SECONDS or len(found) == len(items):
                kept = now
                _write(path, found)
                left = (now - started) / (len(found) - first) * (len(items) - len(found))
                _log.info("%s: %d of %d, %.0f s left", name, len(found), len(items), left)
        return json.loads(json.dumps(found))

    def _path(self, name: str, about: object) -> Path:
        digest = hashlib.sha256(json.dumps([self._identity, about], sort_keys=True).encode()).hexdigest()
        return self._folder / f"{name.replace(' ', '-')}-{digest[:12]}.json"


def _write(path: Path, answer: object) -> None:
    make_folder(path.parent)
    write_text(path, json.dumps(answer))
