"""What prompts, sampling and chat need of a language model, and the engine that it is loaded for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

from makesomenoise import checkpoint, model_folder
from makesomenoise.engine.base import EngineError, LanguageEngine, chosen_engine
from makesomenoise.language.cache import SMOLLM2
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.merged_llama import Learned
from makesomenoise.language.onnx import OnnxLanguage
from makesomenoise.language.prompts import Prompts
from makesomenoise.language.quantized import TOKENIZER_FILE, quantized
from makesomenoise.language.text_tokenizer import TextTokenizer
from makesomenoise.language.vocabulary import AudioVocabulary


class Speaker(Protocol):
    """A language model that is asked: tokens of text and sound to what comes next."""

    @property
    def config(self) -> LanguageConfig:
        """What it was made from."""
        ...

    @property
    def vocabulary(self) -> AudioVocabulary:
        """Its tokens."""
        ...

    @property
    def prompts(self) -> Prompts:
        """How conversations become tokens."""
        ...

    @property
    def engine(self) -> LanguageEngine:
        """Runs its network."""
        ...

    def base_alone(self) -> "Speaker":
        """The base without what was learned, which takes its memory a second time."""
        ...


@dataclass(frozen=True, eq=False)
class OnnxSpeaker:
    """A `Speaker` on the default base, without torch.

    Attributes:
        config: see `Speaker`.
        vocabulary: see `Speaker`.
        prompts: see `Speaker`.
        engine: see `Speaker`.
    """

    config: LanguageConfig
    vocabulary: AudioVocabulary
    prompts: Prompts
    engine: LanguageEngine

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Loads a model folder; errors are those of `load_speaker`."""
        stored = checkpoint.load_model(folder, LanguageConfig)
        return cls._made(stored.config, Learned(stored.fingerprint, stored.config, stored.state))

    def base_alone(self) -> Self:
        """See `Speaker`."""
        return self._made(self.config, None)

    @classmethod
    def _made(cls, config: LanguageConfig, learned: Learned | None) -> Self:
        if config.base != SMOLLM2:
            raise EngineError(f"The engine onnx has only the base {SMOLLM2}, not '{config.base}': give torch.")
        folder = quantized(config, learned)
        vocabulary = AudioVocabulary.extend(TextTokenizer.load(folder / TOKENIZER_FILE), config.codebook_size)
        prompts = Prompts(vocabulary, config.code_rate if config.time_markers else None)
        return cls(config, vocabulary, prompts, OnnxLanguage(folder))


def speaking_engine(source: str | Path, device: str = "cpu", engine: str = "auto") -> Literal["onnx", "torch"]:
    """The engine that `load_speaker` takes, with the same arguments.

    Raises:
        CheckpointError: if there is no such model.
        EngineError: if the engine is not installed or cannot use the device.
    """
    if engine == "auto" and model_folder.load_config(model_folder.resolve(source), LanguageConfig).base != SMOLLM2:
        engine = "torch"
    return chosen_engine(engine, device)


def load_speaker(source: str | Path, device: str = "cpu", engine: str = "auto") -> Speaker:
    """Loads a model to be asked.

    Args:
        source: a model folder, a bundled name or a Hub id.
        device: where it computes.
        engine: `onnx` for the default base on a CPU, `torch`, or `auto`, which is onnx where it can be.

    Raises:
        CheckpointError: if there is no such model.
        EngineError: if the engine is not installed or cannot run it.
        LanguageError: if the base cannot be loaded, or is not the one that the weights were trained with.
        FileError: if what the base is converted to cannot be written.
    """
    folder = model_folder.resolve(source)
    if speaking_engine(folder, device, engine) == "onnx":
        return OnnxSpeaker.load(folder)
    from makesomenoise.language.model import LanguageModel  # noqa: PLC0415 - what runs the default needs no torch

    return LanguageModel.load_to_answer(folder, device)
