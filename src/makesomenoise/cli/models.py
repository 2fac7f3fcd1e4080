"""The models of a command: which, where they compute, whether they are there, and how they are loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from makesomenoise.cli.options import Device, EngineChoice, LanguageName, Model, Options, TokenizerName, VocoderName
from makesomenoise.errors import RequestError

if TYPE_CHECKING:
    from makesomenoise.pipeline import AudioLanguageModel
    from makesomenoise.tokenizer.model import AudioTokenizer

_NO_SOUND = "griffin-lim"  # loads soonest where no sound is to be made


@dataclass(frozen=True)
class EncoderOptions(Options):
    """A tokenizer that makes codes."""

    model: Model = "default"
    device: Device = "cpu"
    engine: EngineChoice = "auto"

    def check(self) -> None:
        """Refuses a model that is not there, before anything heavy is loaded."""
        check_models(self.model)

    def load(self) -> "AudioTokenizer":
        """Loads it."""
        from makesomenoise.tokenizer.model import AudioTokenizer

        return AudioTokenizer.load(self.model, _NO_SOUND, self.device, self.engine)


@dataclass(frozen=True)
class DecoderOptions(EncoderOptions):
    """A tokenizer that makes sound."""

    vocoder: VocoderName = "default"

    def load(self) -> "AudioTokenizer":
        """Loads it."""
        from makesomenoise.tokenizer.model import AudioTokenizer

        return AudioTokenizer.load(self.model, self.vocoder, self.device, self.engine)


@dataclass(frozen=True)
class ListenerOptions(Options):
    """A language model that hears."""

    model: LanguageName = "language"
    tokenizer: TokenizerName = "default"
    device: Device = "cpu"
    engine: EngineChoice = "auto"

    def check(self) -> None:
        """Refuses models that are not there, before anything heavy is loaded."""
        check_models(self.model, self.tokenizer)

    def load(self) -> "AudioLanguageModel":
        """Loads it."""
        from makesomenoise.pipeline import AudioLanguageModel

        return AudioLanguageModel.load(self.model, self.tokenizer, _NO_SOUND, self.device, self.engine)


@dataclass(frozen=True)
class SpeakerOptions(ListenerOptions):
    """A language model that hears and makes sound."""

    vocoder: VocoderName = "default"

    def load(self) -> "AudioLanguageModel":
        """Loads it."""
        from makesomenoise.pipeline import AudioLanguageModel

        return AudioLanguageModel.load(self.model, self.tokenizer, self.vocoder, self.device, self.engine)


def check_models(*names: str) -> None:
    """Refuses names that mean no model, before anything heavy is loaded; what is on the Hub is asked for later.

    Raises:
        CheckpointError: if one is neither a model folder, nor a bundled name, nor a Hub id.
    """
    from makesomenoise.model_folder import CONFIG_FILE, CheckpointError, find_folder

    for name in names:
        folder = find_folder(name)
        if folder is not None and not (folder / CONFIG_FILE).is_file():
            raise CheckpointError(f"{folder} is not a model folder: it has no {CONFIG_FILE}.")


def check_length(seconds: float, model: str) -> None:
    """Refuses a length that no text is short enough for, before anything heavy is loaded.

    Raises:
        RequestError: if so long a sound does not fit into the context of a language model.
    """
    from makesomenoise.language.config import LanguageConfig
    from makesomenoise.model_folder import find_folder, load_config

    folder = find_folder(model)
    if folder is not None:
        config = load_config(folder, LanguageConfig)
        most = config.context_tokens / config.code_rate
        if seconds > most:
            raise RequestError(f"Cannot make {seconds:g} s of sound: at most {most:.0f} s fit into the context.")
