"""What an evaluation has measured so far, kept in files, so that a run that was stopped goes on where it was.

A result is measured again when what it depends on changes: the models and clips it is about, and the version of the
code that measures it. Each keeps the commit of the code that measured it. Knows nothing of what is measured.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import safetensors
import safetensors.numpy

from makesomenoise.checkpoint import source_commit
from makesomenoise.files import atomic_write, make_folder, write_text
from makesomenoise.model_folder import CONFIG_FILE, WEIGHTS_FILE, resolve

Item = TypeVar("Item")
_SECONDS_BETWEEN_WRITES = 20.0

_log = logging.getLogger(__name__)


def model_digest(source: str | Path) -> str:
    """16 hexadecimal digits that change with any file of a model folder but its card.

    Args:
        source: a model folder, a bundled name or a Hub id.

    Raises:
        CheckpointError: if there is no such model.
    """
    folder = resolve(source)
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in (CONFIG_FILE, WEIGHTS_FILE))).hexdigest()[
        :16
    ]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something that is measured.

    Attributes:
        name: for files and reports.
        version: of the code, the prompts and the metrics that decide on the result. Whoever changes one of them so that
            a result changes gives it another version; results of the old one are then measured again.
    """

    name: str
    version: str

    def of(self, subject: str) -> Self:
        """The same of one of several subjects, such as a dataset."""
        return type(self)(f"{self.name} {subject}", self.version)


class ResultCache:
    """A folder of results, each with the version of its measurement and the commit of the code that made it.

    Args:
        folder: made if missing.
        identity: what all results depend on, as JSON takes it.
        fresh: measure anew what was measured before.

    Attributes:
        provenance: version and commits of each result that was asked for, by the name of the measurement.
    """

    def __init__(self, folder: Path, identity: object = None, fresh: bool = False):
        self.provenance: dict[str, dict] = {}
        self._folder, self._identity, self._fresh = folder, identity, fresh
        self._commit, self._begun = source_commit(), set[Path]()

    def get(self, measurement: Measurement, inputs: object, measure: Callable[[], Any]) -> Any:
        """A result that is measured at once.

        Args:
            measurement: what is measured.
            inputs: what it depends on beside the identity, as JSON takes it.
            measure: gives the result, as JSON takes it; not called if there is one.
        """
        path = self._path(measurement, inputs, "json")
        if not self._is_found(path):
            started = time.monotonic()
            self._write(path, measurement, [self._commit], measure())
            _log.info("%s: %.0f s", measurement.name, time.monotonic() - started)
        return self._read(path, measurement)["result"]

    def map(
        self,
        measurement: Measurement,
        inputs: object,
        items: Sequence[Item],
        measure: Callable[[Sequence[Item]], list],
        batch_size: int = 1,
    ) -> list:
        """A result for each item; those that were measured before are not measured again.

        Args:
            measurement: what is measured.
            inputs: what the results depend on beside the identity, as JSON takes it; also tells what the items are.
            items: in an order that is always the same.
            measure: gives the results of some items, one for each, as JSON takes them.
            batch_size: how many items it is given.
        """
        path = self._path(measurement, inputs, "json")
        before = self._read(path, measurement) if self._is_found(path) else {"commits": [], "result": []}
        results, commits = before["result"], list(dict.fromkeys([*before["commits"], self._commit]))
        first, started = len(results), time.monotonic()
        written = started
        while len(results) < len(items):
            batch = items[len(results) : len(results) + batch_size]
            new = measure(batch)
            if len(new) != len(batch):
                raise ValueError(f"Got {len(new)} results for {len(batch)} items of '{measurement.name}'.")
            results += new
            now = time.monotonic()
            if now - written > _SECONDS_BETWEEN_WRITES or len(results) == len(items):
                written = now
                self._write(path, measurement, commits, results)
                left = (now - started) / (len(results) - first) * (len(items) - len(results))
                _log.info("%s: %d of %d, %.0f s left", measurement.name, len(results), len(items), left)
        return self._read(path, measurement)["result"] if items else []

    def arrays(
        self, measurement: Measurement, inputs: object, measure: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """A result that is measured at once and consists of arrays by name; arguments as for `get`."""
        path = self._path(measurement, inputs, "safetensors")
        if not self._is_found(path):
            arrays = measure()
            make_folder(path.parent)
            record = {"measurement": measurement.name, "version": measurement.version, "commit": self._commit}
            with atomic_write(path) as temporary:
                safetensors.numpy.save_file(arrays, temporary, metadata=record)
        with safetensors.safe_open(path, framework="numpy") as file:
            self._note(measurement, [file.metadata()["commit"]])
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping

    def _path(self, measurement: Measurement, inputs: object, suffix: str) -> Path:
        key = json.dumps([measurement.name, measurement.version, self._identity, inputs], sort_keys=True)
        name = "".join(c if c.isalnum() else "-" for c in measurement.name)
        return self._folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.{suffix}"

    def _is_found(self, path: Path) -> bool:
        """Whether there is a result that may be used; to a fresh cache only what it has begun itself is one."""
        found = path.exists() and (not self._fresh or path in self._begun)
        self._begun.add(path)
        return found

    def _read(self, path: Path, measurement: Measurement) -> dict:
        record = json.loads(path.read_text(encoding="utf-8"))
        self._note(measurement, record["commits"])
        return record

    def _write(self, path: Path, measurement: Measurement, commits: list[str], result: object) -> None:
        make_folder(path.parent)
        record = {"measurement": measurement.name, "version": measurement.version, "commits": commits, "result": result}
        write_text(path, json.dumps(record))

    def _note(self, measurement: Measurement, commits: Sequence[str]) -> None:
        noted = self.provenance.setdefault(measurement.name, {"version": measurement.version, "commits": []})
        noted["commits"] = list(dict.fromkeys([*noted["commits"], *commits]))
