"""A folder of somebody's own sounds as tar shards, with licence and trust of the labels in every record."""

from dataclasses import asdict, dataclass
from pathlib import Path

from makesomenoise.data.manifest import Clip, read_clips
from makesomenoise.data.ontology import TRUSTS
from makesomenoise.data.tar_shards import Held, Prepared, PreparedClip, SplitShards, claim
from makesomenoise.errors import DataError


class OwnSoundsError(DataError):
    """Sounds that cannot be prepared; the message is one sentence for the user."""


@dataclass(frozen=True)
class Told:
    """What is true of all sounds of a folder whose own records do not say otherwise.

    Attributes:
        dataset: name of the collection; empty: that of the folder.
        license: what its source allows.
        trust: how far labels are believed.
    """

    dataset: str = ""
    license: str = ""
    trust: str = "claimed"


def prepare_folder(
    source: str | Path, output: str | Path, told: Told | None = None, held: Held | None = None
) -> Prepared:
    """Writes the sounds of a folder as tar shards, byte for byte; whole shards stay when it is cut off.

    Args:
        source: a folder as `read_clips` takes it: labels from records beside the sounds, or from the folders' names.
        output: folder of the shards; made if missing.
        told: what records do not say.
        held: what becomes the valid split, of the clips that belong to none.

    Raises:
        ManifestError: if there is no such folder, or nothing in it.
        OwnSoundsError: if the trust is none.
        ShardError: if the output holds another preparation.
        FileError: if it cannot be written.
    """
    told, held, output = told or Told(), held or Held(), Path(output)
    if told.trust not in TRUSTS:
        raise OwnSoundsError(f"'{told.trust}' is no trust: give one of {', '.join(TRUSTS)}.")
    clips = read_clips([source])
    claim(output, "all", {"source": str(Path(source).resolve()), "told": asdict(told), "held": asdict(held)})
    shards = SplitShards(output)
    for clip in clips:
        split = clip.split or held.split(clip.fold, clip.key, "train")
        key = clip.key.replace("/", "-").replace(".", "_")
        shards.add(split, PreparedClip(key, clip.read(), clip.path.suffix.lower(), _record(clip, told)))
    return shards.close(sum(len(clip.captions) for clip in clips))


def _record(clip: Clip, told: Told) -> dict[str, object]:
    known = {
        "dataset": told.dataset or clip.dataset,
        "fold": clip.fold,
        "kind": clip.kind,
        "label": clip.label,
        "title": clip.title,
        "captions": list(clip.captions),
        "license": clip.license or told.license,
        "trust": told.trust,
    }
    return {name: value for name, value in known.items() if value}
