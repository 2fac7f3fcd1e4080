"""What is known of a clip, whatever form its sound has; knows neither sound files nor codes."""

from dataclasses import KW_ONLY, dataclass, fields
from typing import Any

from makesomenoise.data.ontology import usual_trust


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip.

    Attributes:
        key: unique name within its corpus.
        dataset: name of the collection it comes from; `scenes` for a made one.
        fold: the fold within that collection, or empty.
        kind: coarse kind (sfx, animal, instrument, ..., scene), or empty.
        label: short English name, or empty.
        title: a freer description, or empty.
        split: train or valid, or empty.
        captions: whole sentences about it.
        license: what its source allows, or empty.
        trust: how far the label is believed, see `Ontology.find`; empty: as is usual for the collection.
    """

    key: str
    _: KW_ONLY
    dataset: str = ""
    fold: str = ""
    kind: str = ""
    label: str = ""
    title: str = ""
    split: str = ""
    captions: tuple[str, ...] = ()
    license: str = ""
    trust: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trust", self.trust or usual_trust(self.dataset))

    def info(self) -> dict[str, Any]:
        """These attributes by name."""
        return {one.name: getattr(self, one.name) for one in fields(ClipInfo)}
