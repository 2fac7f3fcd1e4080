"""What is asked of a language model, how, and on what."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field

from makesomenoise.config import Config
from makesomenoise.errors import RequestError
from makesomenoise.language.sampling import GENERATING, Sampling

Subject = Literal["naming", "captioning", "scenes", "making", "kept", "speed"]
SUBJECTS: tuple[Subject, ...] = ("naming", "captioning", "scenes", "making", "kept", "speed")


class LanguageEvaluationError(RequestError):
    """An evaluation that cannot be made; the message is one sentence for the user."""


class LanguageQuestions(Config):
    """What is asked of a language model, and how.

    Attributes:
        ask: the subjects.
        limit: ask about at most so many clips of each dataset and so many scenes, and make sounds of at most so many
            names and so many scenes, for a quick look; none takes all.
        vocoder: what `AudioTokenizer.load` takes.
        cache: folder that keeps decoded clips for later runs.
        device: where the models compute.
        guidance: see `Sampling`.
        temperature: see `Sampling`.
        top_k: see `Sampling`.
        seed: of everything that is drawn.
        sounds: how many are made of each name.
        seconds: length of those.
        scenes: how many scenes are made from their captions.
        threads: of torch, while speed is measured.
    """

    ask: tuple[Subject, ...] = SUBJECTS
    limit: int | None = Field(default=None, ge=1)
    vocoder: str = "default"
    cache: Path | None = None
    device: str = "cpu"
    guidance: float = GENERATING.guidance
    temperature: float = GENERATING.temperature
    top_k: int = GENERATING.top_k
    seed: int = Field(default=0, ge=0)
    sounds: int = Field(default=4, ge=1)
    seconds: float = Field(default=5.0, gt=0.0)
    scenes: int = Field(default=100, ge=1)
    threads: int = Field(default=2, ge=1)

    @classmethod
    def from_settings(cls, settings: Sequence[str]) -> Self:
        """The questions with some settings that are not the usual ones.

        Args:
            settings: such as `guidance=3` or `ask=[naming, kept]`; a later one replaces an earlier one.

        Raises:
            LanguageEvaluationError: if one has no name or no value.
            ConfigError: if there is no such setting, or the value does not fit.
        """
        values = {}
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not (name and equals and value):
                raise LanguageEvaluationError(f"Cannot read the setting '{setting}'; write it as guidance=3.")
            try:
                values[name] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise LanguageEvaluationError(f"Cannot read the value of '{setting}'; it is not YAML.") from None
        return cls.from_dict(values, origin="the settings")

    @property
    def sampling(self) -> Sampling:
        """How codes are drawn."""
        return Sampling(temperature=self.temperature, top_k=self.top_k, guidance=self.guidance)


@dataclass(frozen=True)
class Sources:
    """Where everything is that an evaluation needs.

    Attributes:
        codes: folder of code shards of the validation split, with scenes.
        corpus: folder of the clips they were made from, and of clips to train probes with.
        classifier: folder of the event classifier.
        model: language model, as `AudioLanguageModel.load` takes it.
        tokenizer: as `AudioLanguageModel.load` takes it.
        ears: outside ears that hear made sounds beside the event classifier, as `Ear.open` takes them.
    """

    codes: Path
    corpus: Path
    classifier: Path
    model: str | Path = "language"
    tokenizer: str | Path = "default"
    ears: tuple[str | Path, ...] = ()
