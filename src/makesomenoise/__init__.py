"""Sound as integers, and back: the whole public API is what `__all__` names, imported on first use."""

from typing import TYPE_CHECKING

from makesomenoise.errors import MakeSomeNoiseError

if TYPE_CHECKING:
    from makesomenoise.pipeline import AudioLanguageModel, Generation
    from makesomenoise.tokenizer.model import AudioTokenizer

    __version__: str

__all__ = ["AudioLanguageModel", "AudioTokenizer", "Generation", "MakeSomeNoiseError"]


def __getattr__(name: str) -> object:
    if name == "AudioTokenizer":
        from makesomenoise.tokenizer.model import AudioTokenizer  # noqa: PLC0415 - torch is loaded only when it is used

        return AudioTokenizer
    if name == "AudioLanguageModel":
        from makesomenoise.pipeline import AudioLanguageModel  # noqa: PLC0415 - as is transformers

        return AudioLanguageModel
    if name == "__version__":
        from importlib import metadata  # noqa: PLC0415 - only who asks pays for it

        return metadata.version("makesomenoise")
    if name == "Generation":
        from makesomenoise.pipeline import Generation  # noqa: PLC0415 - likewise

        return Generation
    raise AttributeError(f"module 'makesomenoise' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
