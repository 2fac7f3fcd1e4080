"""A conversation in which both sides may say text and sounds, as codes."""

from collections.abc import Iterator

from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import Memory, stream_tokens
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Part, Sound, Turn
from makesomenoise.language.sampling import TALKING, Sampling, seeded
from makesomenoise.language.speech import spoken

_LONGEST_REPLY = 512
_SHORTEST_ROOM = 16
_CODES = Sampling(temperature=1.0)


class Dialogue:
    """A conversation with a model.

    Args:
        model: answers.
        seed: the same seed and the same turns give the same replies.
        sampling: how text is drawn.
        sounds: how codes are drawn.

    Attributes:
        turns: what was said so far.
    """

    def __init__(self, model: LanguageModel, seed: int = 0, sampling: Sampling = TALKING, sounds: Sampling = _CODES):
        self.turns: tuple[Turn, ...] = ()
        self._model, self._seed, self._sampling, self._sounds = model, seed, sampling, sounds
        self._attached: tuple[Sound, ...] = ()
        self.reset()

    def reset(self) -> None:
        """Forgets all that was said and attached."""
        self.turns, self._attached = (), ()
        self._memory, self._generator = Memory(), seeded(self._seed)

    def attach(self, sound: Sound) -> None:
        """Puts a sound before what is said next.

        Raises:
            LanguageError: if it is empty, or too long for what is left of the context; it is not attached then.
        """
        if not sound.codes:
            raise LanguageError("The sound is empty: give one that holds samples.")
        self._fits(self._with("", (*self._attached, sound)))
        self._attached = (*self._attached, sound)

    def say(self, text: str) -> Iterator[Part]:
        """Says something, after what was attached, and streams the reply: pieces of text and whole sounds.

        The turns count as said when the reply has come to its end.

        Raises:
            LanguageError: if the text is empty or does not fit into the context, before the first piece is asked for.
        """
        if not text.strip():
            raise LanguageError("The text is empty: say something.")
        turns = self._with(text.strip(), self._attached)
        return self._reply(turns, *self._fits(turns))

    def _with(self, text: str, sounds: tuple[Sound, ...]) -> tuple[Turn, ...]:
        return (*self.turns, Turn("user", (*sounds, text)))

    def _fits(self, turns: tuple[Turn, ...]) -> tuple[list[int], int]:
        """The prompt, and how many tokens the reply may have."""
        prompt = self._model.prompts.prompt(turns)
        room = self._model.config.context_tokens - 1 - len(prompt)
        if room < _SHORTEST_ROOM:
            raise LanguageError(
                f"This conversation would take {len(prompt)} tokens, and the context has "
                f"{self._model.config.context_tokens}: start anew (`/reset`), or give a shorter text or sound."
            )
        return prompt, min(room, _LONGEST_REPLY)

    def _reply(self, turns: tuple[Turn, ...], prompt: list[int], most: int) -> Iterator[Part]:
        tokens = stream_tokens(
            self._model, prompt, most, self._sampling, self._generator, self._sounds, memory=self._memory
        )
        parts: list[Part] = []
        for piece in spoken(self._model.vocabulary, tokens):
            if parts and isinstance(piece, str) and isinstance(parts[-1], str):
                parts[-1] += piece
            else:
                parts.append(piece)
            yield piece
        self.turns, self._attached = (*turns, Turn("assistant", tuple(parts))), ()
