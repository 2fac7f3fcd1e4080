"""The configuration of a tokenizer's training; the run itself is `training.tokenizer`."""

from typing import Self

from pydantic import Field, model_validator

from makesomenoise.config import Config
from makesomenoise.data.clips import AugmentConfig
from makesomenoise.tokenizer.config import FlowConfig, TokenizerConfig
from makesomenoise.training.asked import LabelConfig, OutlineConfig, PeaksConfig
from makesomenoise.training.distillation import DistillConfig
from makesomenoise.training.fitting import RunConfig
from makesomenoise.training.optimiser import OptimiserConfig
from makesomenoise.training.starting import NEW_DECODER


class DataConfig(Config):
    """What a run learns from.

    Attributes:
        train: shards or folders.
        valid: shards or folders.
        crop_codes: length of a crop, codes.
        halved_until: share of the training during which each crop is two crops of half the length.
        shares: share of the examples that start with a clip of a dataset; the rest goes to all others.
        augment: how crops are varied.
        cache: folder that keeps decoded clips, or none.
        workers: processes that prepare examples; 0 prepares them in the training process.
        valid_crops: number of fixed crops that a validation looks at.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    crop_codes: int = 128
    halved_until: float = 0.5
    shares: dict[str, float] = Field(default_factory=dict)
    augment: AugmentConfig = AugmentConfig()
    cache: str | None = None
    workers: int = 0
    valid_crops: int = 64


class TokenizerTrainingConfig(Config):
    """A whole run.

    Attributes:
        model: the tokenizer.
        scene: model folder of a trained scene branch to start from (see `training.encoder`), or none.
        start: tokenizer to start from, a model folder or a bundled name, or none.
        decoder_start: tokenizer whose decoder to start from in place of that of `start`, or `new` for a new decoder.
        keep_codes: only the decoder learns, so that sound which was encoded before can still be decoded.
        keep_trunk: the part of the decoder that reads the latents does not learn either.
        asked_until: share of the training during which the decoder waits, and encoder and quantizer learn from what
            codes are asked alone. Such a step costs half, and codes that have learned to tell pitch keep doing so,
            while a decoder that comes first leaves no room for it.
        data: what it learns from.
        label: the loss that asks codes for labels.
        outline: the loss that asks codes for outlines.
        peaks: the loss that asks codes which bands stand out.
        distill: the decoder learns to jump from the model it starts from; none: it learns flow matching alone.
        optimiser: how the weights move.
        run: length, seed and machine.
    """

    model: TokenizerConfig = TokenizerConfig()
    scene: str | None = None
    start: str | None = None
    decoder_start: str | None = None
    keep_codes: bool = False
    keep_trunk: bool = False
    asked_until: float = 0.0
    data: DataConfig
    label: LabelConfig = LabelConfig()
    outline: OutlineConfig = OutlineConfig()
    peaks: PeaksConfig = PeaksConfig()
    distill: DistillConfig | None = None
    optimiser: OptimiserConfig = OptimiserConfig()
    run: RunConfig = Field(default_factory=RunConfig)

    @property
    def decoder_is_new(self) -> bool:
        """Whether the decoder starts from random weights."""
        return self.start is None or self.decoder_start == NEW_DECODER

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start is None and (self.keep_codes or self.decoder_start is not None):
            raise ValueError("keep_codes and decoder_start need a tokenizer to start from: name it in start")
        if self.keep_trunk and (self.decoder_is_new or not self.keep_codes):
            raise ValueError("keep_trunk needs keep_codes and a trained decoder to start from")
        if self.distill is not None and not isinstance(self.model.decoder, FlowConfig):
            raise ValueError("distill needs a decoder of kind flow")
        if self.distill is not None and (self.decoder_is_new or not self.keep_codes):
            raise ValueError("distill needs keep_codes and a trained decoder to start from, which teaches")
        return self
