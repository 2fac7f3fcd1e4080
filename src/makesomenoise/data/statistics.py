"""What a folder of code shards holds, counted; reads shards one after another and keeps none of them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from makesomenoise.data.codes import code_shards, read_failures, read_stamp
from makesomenoise.data.encode import read_failed


@dataclass(frozen=True)
class SourceStatistics:
    """What comes from one source: a collection, or the tar or folder of clips that name none.

    Attributes:
        name: of the source.
        clips: their number.
        hours: their length.
        codes: number of codes.
        codes_used: of the codebook, how many codes occur.
        perplexity: of the codes; as many codes, used alike, would tell as much.
    """

    name: str
    clips: int
    hours: float
    codes: int
    codes_used: int
    perplexity: float


@dataclass(frozen=True)
class CorpusStatistics:
    """What a folder of code shards holds.

    Attributes:
        fingerprint: of the tokenizer.
        shards: their number.
        total: of all sources, under the name `all`.
        sources: of each.
        failures: what could not be encoded.
        repeated_ids: rows beyond the first of the same shard's name and key; 0 where each was encoded once.
        equal_codes: clips beyond the first of the same codes.
    """

    fingerprint: str
    shards: int
    total: SourceStatistics
    sources: tuple[SourceStatistics, ...]
    failures: int
    repeated_ids: int
    equal_codes: int


@dataclass
class _Count:
    clips: int = 0
    seconds: float = 0.0
    used: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, seconds: float, counts: np.ndarray) -> None:
        self.clips += 1
        self.seconds += seconds
        self.used = counts + self.used if len(self.used) else counts.copy()

    def told(self, name: str) -> SourceStatistics:
        total = int(self.used.sum())
        shares = self.used[self.used > 0] / max(total, 1)
        perplexity = float(np.exp(-(shares * np.log(shares)).sum())) if total else 0.0
        used = int((self.used > 0).sum())
        return SourceStatistics(name, self.clips, self.seconds / 3600.0, total, used, perplexity)


def corpus_statistics(folder: str | Path) -> CorpusStatistics:
    """Counts what is in a folder of code shards, or in one shard.

    Raises:
        CodesError: if there is none, if one is damaged, or if they were made by different tokenizers.
    """
    shards = code_shards(folder)
    stamp = read_stamp(shards[0])
    counts: dict[str, _Count] = defaultdict(_Count)
    everything, ids, contents = _Count(), Counter[bytes](), Counter[bytes]()
    for path in shards:
        for key, dataset, seconds, codes in _rows(path):
            used = np.bincount(codes, minlength=stamp.codebook_size)
            name = path.stem.rpartition("-")[0] or path.stem
            counts[dataset or name].add(seconds, used)
            everything.add(seconds, used)
            ids[_digest(f"{name}/{key}".encode("utf-8", "surrogateescape"))] += 1
            contents[_digest(codes.tobytes())] += 1
    failed = {one.id for path in shards for one in read_failures(path)}
    failed |= {one.id for one in read_failed(Path(folder))} if Path(folder).is_dir() else set()
    return CorpusStatistics(
        fingerprint=stamp.fingerprint,
        shards=len(shards),
        total=everything.told("all"),
        sources=tuple(counts[name].told(name) for name in sorted(counts)),
        failures=len(failed),
        repeated_ids=everything.clips - len(ids),
        equal_codes=everything.clips - len(contents),
    )


def _rows(path: Path) -> Iterator[tuple[str, str, float, np.ndarray]]:
    table = pq.read_table(path, columns=["key", "dataset", "seconds", "codes"])
    for row in zip(*(table[name].to_pylist() for name in ("key", "dataset", "seconds")), table["codes"], strict=True):
        key, dataset, seconds, codes = row
        yield key, dataset or "", seconds, codes.values.to_numpy(zero_copy_only=False)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=12).digest()
