"""How sounds are made: what `msn generate` and `msn continue` have in common."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Options, QualityName, Seed, Steps

if TYPE_CHECKING:
    from makesomenoise.pipeline import Generation

Temperature = Annotated[float | None, typer.Option(min=0.0, help="How freely codes are drawn; 0 takes the likeliest.")]
TopK = Annotated[int | None, typer.Option(min=0, help="Draw among so many of the likeliest codes; 0 is all.")]
Scale = Annotated[
    float | None, typer.Option(min=0.0, max=100.0, help="How much what was asked counts; 1 turns guidance off.")
]


@dataclass(frozen=True)
class GenerationOptions(Options):
    """How codes are drawn, and how they become sound; what is none is as usual."""

    seed: Seed = 0
    temperature: Temperature = None
    top_k: TopK = None
    guidance: Scale = None
    steps: Steps = None
    quality: QualityName = "fast"

    def generation(self, keep_level: bool = False) -> "Generation":
        """The same for the library.

        Args:
            keep_level: leave sounds as soft or loud as they come.
        """
        from makesomenoise.pipeline import USUAL, Generation
        from makesomenoise.tokenizer.decoding import as_quality

        return Generation(
            temperature=USUAL.temperature if self.temperature is None else self.temperature,
            top_k=USUAL.top_k if self.top_k is None else self.top_k,
            guidance=USUAL.guidance if self.guidance is None else self.guidance,
            steps=self.steps,
            quality=as_quality(self.quality),
            level_db=None if keep_level else USUAL.level_db,
        )
