"""A conversation in which both sides may say text and sounds, as codes.

Who asks for a sound, in whatever words, gets one as long as was said. Where no sound was heard or made yet, the base
answers that the model was made from: what was learned of sounds makes it worse at talking of anything else.
"""

from collections.abc import Iterator

from makesomenoise.language.composing import compose
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import Memory, stream_tokens
from makesomenoise.language.orders import request, sound_order
from makesomenoise.language.prompts import Part, Sound, Turn
from makesomenoise.language.requests import SoundRequest, sound_request
from makesomenoise.language.sampling import TALKING, Sampling, seeded
from makesomenoise.language.speaker import Speaker
from makesomenoise.language.speech import spoken, without_repeats

USUAL_SECONDS = 5.0
_LONGEST_REPLY = 512
_SHORTEST_ROOM = 16
_LONGEST_TALK = 600  # letters after which a reply about no sound ends with its sentence
_CODES = Sampling(temperature=1.0)
_SEEDS = 2**31


class Dialogue:
    """A conversation with a model.

    Args:
        model: answers.
        seed: the same seed and the same turns give the same replies.
        sampling: how text is drawn.
        sounds: how codes are drawn where a reply holds sounds that nobody asked for.

    Attributes:
        turns: what was said so far.
    """

    def __init__(self, model: Speaker, seed: int = 0, sampling: Sampling = TALKING, sounds: Sampling = _CODES):
        self.turns: tuple[Turn, ...] = ()
        self._model, self._seed, self._sampling, self._sounds = model, seed, sampling, sounds
        self._base: Speaker | None = None
        self._attached: tuple[Sound, ...] = ()
        self.reset()

    def reset(self) -> None:
        """Forgets all that was said and attached."""
        self.turns, self._attached = (), ()
        self._memory, self._base_memory, self._generator = Memory(), Memory(), seeded(self._seed)

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
            LanguageError: if the text is empty or does not fit into the context, or a sound is asked for that is not
                above 0 s or does not fit, before the first piece is asked for.
        """
        if not text.strip():
            raise LanguageError("The text is empty: say something.")
        wanted = sound_request(text)
        if wanted is not None:
            return self._make(wanted)
        turns = self._with(text.strip(), self._attached)
        return self._reply(turns, *self._fits(turns))

    def _with(self, text: str, sounds: tuple[Sound, ...]) -> tuple[Turn, ...]:
        return (*self.turns, Turn("user", (*sounds, text)))

    def _fits(self, turns: tuple[Turn, ...], room: int = _SHORTEST_ROOM) -> tuple[list[int], int]:
        """The prompt, and how many tokens the reply may have."""
        prompt = self._model.prompts.prompt(turns)
        left = self._model.config.context_tokens - 1 - len(prompt)
        if left < room:
            raise LanguageError(
                f"This conversation would take {len(prompt)} tokens, and the context has "
                f"{self._model.config.context_tokens}: start anew (`/reset`), or give a shorter text or sound."
            )
        return prompt, min(left, _LONGEST_REPLY)

    def _make(self, wanted: SoundRequest) -> Iterator[Part]:
        """A sound that was asked for, in the words of training whatever those of the request were."""
        seconds = USUAL_SECONDS if wanted.seconds is None else wanted.seconds
        count = sound_order(self._model, wanted.text, seconds).count
        turns = self._with(request(wanted.text, seconds), self._attached)
        self._fits(turns, count + _SHORTEST_ROOM)
        return self._kept(turns, self._composed(wanted.text, seconds))

    def _composed(self, text: str, seconds: float) -> Iterator[Sound]:
        seed = int(self._generator.integers(_SEEDS))
        yield compose(self._model, text, seconds, seed)[0]

    def _reply(self, turns: tuple[Turn, ...], prompt: list[int], most: int) -> Iterator[Part]:
        if not any(isinstance(part, Sound) for turn in turns for part in turn.parts):
            return self._kept(turns, self._talk(prompt, most))
        tokens = stream_tokens(
            self._model, prompt, most, self._sampling, self._generator, self._sounds, memory=self._memory
        )
        return self._kept(turns, spoken(self._model.vocabulary, tokens))

    def _talk(self, prompt: list[int], most: int) -> Iterator[str]:
        """What the base says of a conversation without sounds, up to where it says the same again."""
        self._base = self._base or self._model.base_alone()
        tokens = stream_tokens(self._base, prompt, most, self._sampling, self._generator, memory=self._base_memory)
        return without_repeats((str(piece) for piece in spoken(self._base.vocabulary, tokens)), _LONGEST_TALK)

    def _kept(self, turns: tuple[Turn, ...], pieces: Iterator[Part]) -> Iterator[Part]:
        """The pieces as they come; when they have come to their end they count as said."""
        parts: list[Part] = []
        for piece in pieces:
            if parts and isinstance(piece, str) and isinstance(parts[-1], str):
                parts[-1] += piece
            else:
                parts.append(piece)
            yield piece
        self.turns, self._attached = (*turns, Turn("assistant", tuple(parts))), ()
