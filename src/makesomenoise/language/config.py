"""The configuration of a language model that reads and writes codes, and the error of this package."""

from typing import Any, ClassVar

from pydantic import Field

from makesomenoise.config import Config, ModelConfig
from makesomenoise.errors import ModelError


class LanguageError(ModelError):
    """A language model, a text or codes that cannot be used; the message is one sentence for the user."""


class LoraConfig(Config):
    """The low-rank matrices that are learned beside every linear layer.

    Attributes:
        rank: width of the two matrices.
        alpha: their product is scaled by alpha / rank.
        dropout: share of their input that is dropped in training.
    """

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)


class LanguageConfig(ModelConfig):
    """What a language model was made from.

    Attributes:
        base: the text model: `smollm2-135m`, a folder or a Hub id.
        tokenizer_fingerprint: fingerprint of the audio tokenizer whose codes are its words.
        codebook_size: number of codes K.
        code_rate: codes a second.
        lora: the low-rank matrices.
        context_tokens: the most tokens a conversation may have.
        time_markers: whether sounds that are heard tell the time, a number every second.
    """

    model_type: ClassVar[str] = "language_model"

    base: str = "smollm2-135m"
    tokenizer_fingerprint: str
    codebook_size: int = Field(default=1024, ge=1)
    code_rate: float = Field(default=23.4375, gt=0.0)
    lora: LoraConfig = LoraConfig()
    context_tokens: int = Field(default=2048, ge=16)
    time_markers: bool = False

    def identity(self) -> dict[str, Any]:
        """What decides on the answers, beside the weights; not how they were trained, nor how long answers may be."""
        return {
            "base": self.base,
            "tokenizer_fingerprint": self.tokenizer_fingerprint,
            "codebook_size": self.codebook_size,
            "code_rate": self.code_rate,
            "lora": {"rank": self.lora.rank, "alpha": self.lora.alpha},
            "time_markers": self.time_markers,
        }

    @classmethod
    def from_unversioned(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The keys of today."""
        names = {"codes": "tokenizer_fingerprint", "timestamps": "time_markers"}
        return {names.get(name, name): value for name, value in values.items()}
