"""What a language model adds to the demo page: words about its clips, and sounds made from words. Draws nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from makesomenoise.audio.level import USUAL_DB
from makesomenoise.checkpoint import CheckpointError, load_config, resolve
from makesomenoise.errors import RequestError
from makesomenoise.language.config import LanguageConfig
from makesomenoise.tokenizer.model import AudioTokenizer

if TYPE_CHECKING:
    from makesomenoise.pipeline import AudioLanguageModel

BUNDLED, NONE = "language", "none"
PROMPTS = ("rain falls", "a dog barks twice", "church bells ring")
_SECONDS = 5.0
_LONGEST_HEARD = 30.0


class WordsError(RequestError):
    """A language model that a page cannot have; the message is one sentence for the user."""


@dataclass(frozen=True, eq=False)
class Made:
    """A sound that was made from a text.

    Attributes:
        text: what was asked for.
        codes: [N] behind it.
        waveform: [S] in [-1, 1].
    """

    text: str
    codes: tuple[int, ...]
    waveform: np.ndarray


def find_speaker(source: str, tokenizer: AudioTokenizer) -> "AudioLanguageModel | None":
    """The language model for a page.

    Args:
        source: a model folder, a bundled name or a Hub id; `none` for none. The bundled one speaks where it ships and
            knows the codes of the tokenizer; a page can do without it.
        tokenizer: whose codes it must know.

    Returns:
        None where the page does without words.

    Raises:
        WordsError: if what a language model needs is not installed.
        CheckpointError: if a model that was named is missing or damaged.
        LanguageError: if its base is missing.
        PipelineError: if it knows the codes of another tokenizer.
    """
    if source == NONE:
        return None
    try:
        folder = resolve(source)
    except CheckpointError:
        if source != BUNDLED:
            raise
        return None
    if source == BUNDLED and load_config(folder, LanguageConfig).tokenizer_fingerprint != tokenizer.fingerprint:
        return None
    try:
        # What these import comes with the extra `language`.
        from makesomenoise.language.model import LanguageModel  # noqa: PLC0415
        from makesomenoise.pipeline import AudioLanguageModel  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise WordsError(
            f"The page needs {error.name} for its words: run pip install 'makesomenoise[language]', "
            f"or do without them (`--language {NONE}`)."
        ) from None
    return AudioLanguageModel(tokenizer, LanguageModel.load_to_answer(folder, "cpu"))


def heard(speaker: "AudioLanguageModel", waveform: np.ndarray) -> str:
    """What a language model hears in the first half minute of a waveform [S], in words."""
    longest = round(_LONGEST_HEARD * speaker.tokenizer.sample_rate)
    return speaker.caption(waveform[None, :longest])[0]


def made(speaker: "AudioLanguageModel", seed: int = 0) -> Iterator[Made]:
    """A sound from each of the prompts; the first that comes, not the best of several."""
    for text in PROMPTS:
        sound = speaker.compose(text, seconds=_SECONDS, seed=seed)[0]
        yield Made(text, sound.codes, speaker.render(sound, _SECONDS, seed, level_db=USUAL_DB))
