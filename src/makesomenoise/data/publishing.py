"""Code shards as a data set on the Hugging Face Hub, with a card that says what they are."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from makesomenoise.data.codes import code_shards, read_stamp
from makesomenoise.data.statistics import CorpusStatistics, corpus_statistics
from makesomenoise.errors import DataError

_CARD = "README.md"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class PushError(DataError):
    """Shards that cannot be published; the message is one sentence for the user."""


@dataclass(frozen=True)
class Publication:
    """What would be, or was, published.

    Attributes:
        repository: id on the Hub.
        card: text of its card.
        files: path in the repository to file on this machine.
        size_bytes: of all files.
    """

    repository: str
    card: str
    files: dict[str, Path]
    size_bytes: int


def publication(folder: str | Path, repository: str, split: str = "train") -> Publication:
    """What publishing a folder of code shards would write; nothing is sent.

    Args:
        folder: of code shards.
        repository: `owner/name`.
        split: name that the shards get there.

    Raises:
        PushError: if the repository has no such name.
        CodesError: if there are no shards, or they were made by different tokenizers.
    """
    owner, _, name = repository.partition("/")
    if not owner or not name or "/" in name:
        raise PushError(f"'{repository}' is no name of a data set: give OWNER/NAME.")
    shards = code_shards(folder)
    files = {f"data/{split}/{path.name}": path for path in shards}
    size = sum(path.stat().st_size for path in shards)
    return Publication(repository, _card(corpus_statistics(folder), shards, repository, split), files, size)


def push(planned: Publication, private: bool = False) -> str:
    """Publishes, in one commit, so that it is there whole or not at all.

    Args:
        planned: as `publication` gives it.
        private: whether only its owner sees it.

    Returns:
        The address.

    Raises:
        PushError: if the Hub does not answer or refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi  # noqa: PLC0415 - only where somebody publishes

    adds = [CommitOperationAdd(_CARD, planned.card.encode())]
    adds += [CommitOperationAdd(name, str(path)) for name, path in planned.files.items()]
    try:
        api = HfApi()
        api.create_repo(planned.repository, repo_type="dataset", private=private, exist_ok=True)
        api.create_commit(planned.repository, adds, commit_message="Add code shards", repo_type="dataset")
    except Exception as error:  # the Hub's library and its transport have many kinds
        said = " ".join(str(error).split())[:240].rstrip(".")
        raise PushError(
            f"Cannot publish {planned.repository}: {said}; log in with `hf auth login`, and see HF_HUB_OFFLINE."
        ) from None
    return f"https://huggingface.co/datasets/{planned.repository}"


def _card(found: CorpusStatistics, shards: list[Path], repository: str, split: str) -> str:
    stamp, licenses = read_stamp(shards[0]), _licenses(shards)
    size = next((name for most, name in _SIZES if found.total.clips < most), "1M<n<10M")
    rows = "".join(
        f"| {one.name} | {one.clips} | {one.hours:.2f} | {one.codes_used} | {one.perplexity:.1f} |\n"
        for one in (*found.sources, found.total)
    )
    allowed = "".join(f"- {name or 'not stated'}: {count} clips\n" for name, count in licenses.most_common())
    return f"""---
license: other
license_name: those-of-the-sources
task_categories: [audio-classification, text-to-audio]
tags: [audio-codes, makesomenoise]
size_categories: ["{size}"]
configs:
- config_name: default
  data_files:
  - split: {split}
    path: data/{split}/*.parquet
---

# {repository.partition("/")[2]}

Sounds as codes of the makesomenoise tokenizer `{stamp.fingerprint}`: integers in [0, {stamp.codebook_size}),
{stamp.code_rate:g} a second. They mean something only to that tokenizer, which also turns them back into sound.

| source | clips | hours | codes used | perplexity |
|---|---|---|---|---|
{rows}
{found.failures} clips could not be encoded, and {found.equal_codes} have the codes of another.

Each row is one clip: `key`, `codes`, `seconds`, `sounding` (where the first and last audible sound are), `dataset`,
`split`, `fold`, `kind`, `label`, `title`, `captions`, `license`, and `events` of made scenes.

## Licences

Codes are derived from sounds; what their sources allow holds for them too.

{allowed}"""


def _licenses(shards: list[Path]) -> Counter[str]:
    return Counter(
        value or "" for path in shards for value in pq.read_table(path, columns=["license"])["license"].to_pylist()
    )
