"""Conversations to tokens, in the words of the base's own chat template, and the one place that decides on labels.

Loss is asked on what the assistant says and on the token that ends its turn, on nothing else. Only the template may
write special tokens: what users and answers say is text, whatever it spells, or a sound. Sounds that the assistant
hears may tell the time, since counting codes is hard for an LLM; those that it makes are codes alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from jinja2.exceptions import TemplateError

from makesomenoise.language.config import LanguageError
from makesomenoise.language.vocabulary import AudioVocabulary

IGNORED = -100
# For a base that brings no template of its own.
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content + ' ' }}"
    "{% elif message.role == 'user' %}{{ 'USER: ' + message.content + ' ' }}"
    "{% else %}{{ 'ASSISTANT: ' + message.content + eos_token }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}"
)

Role = Literal["system", "user", "assistant", "text"]


@dataclass(frozen=True)
class Sound:
    """A sound in a conversation.

    Attributes:
        codes: [N] of the audio tokenizer.
        seconds: how long it is, where that is known to the sample: its last code may reach beyond.
    """

    codes: tuple[int, ...]
    seconds: float | None = field(default=None, compare=False)


Part = str | Sound


@dataclass(frozen=True)
class Turn:
    """What one side says at once.

    Attributes:
        role: who speaks; "text" is a text of its own, without a template around it.
        parts: texts and sounds in order.
    """

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Example:
    """A conversation to learn from.

    Attributes:
        tokens: [L] of the whole conversation.
        labels: [L] the token itself where loss is asked, else -100.
    """

    tokens: tuple[int, ...]
    labels: tuple[int, ...]


class Prompts:
    """Writes conversations for one base.

    Args:
        vocabulary: of the base; its text tokenizer gains a plain chat template if it has none.
        timed_rate: codes a second, if sounds that are heard are to tell the time; else none.

    Attributes:
        end_of_turn: the token that ends an answer.

    Raises:
        LanguageError: if the template does not end answers with a special token.
    """

    def __init__(self, vocabulary: AudioVocabulary, timed_rate: float | None = None):
        self.vocabulary = vocabulary
        self._timed_rate = timed_rate
        if not vocabulary.text_tokenizer.chat_template:
            vocabulary.text_tokenizer.chat_template = PLAIN_TEMPLATE
        self._special = set(vocabulary.text_tokenizer.all_special_ids)
        self._frames: dict[tuple[Role, ...], list[list[int]]] = {}
        ends = [token for token in self._frame(("user", "assistant"))[-1] if token in self._special]
        if not ends:
            raise LanguageError("The chat template of the base does not end answers with a special token.")
        self.end_of_turn = ends[0]

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """A conversation to tokens, up to where the assistant is to speak.

        It is how `example` of the same turns and an answer begins.

        Args:
            turns: what was said, the last by the user.

        Raises:
            LanguageError: if the template does not allow for such turns, or a code is outside [0, K).
        """
        frame = self._frame((*(turn.role for turn in turns), "assistant"))
        pieces = [piece for text, turn in zip(frame, turns, strict=False) for piece in (text, self.content(turn))]
        return [token for piece in [*pieces, frame[-2]] for token in piece]

    def example(self, turns: Sequence[Turn]) -> Example:
        """A conversation to tokens and labels.

        Args:
            turns: what was said, the last by the assistant; or one text of its own, on all of which loss is asked.

        Raises:
            LanguageError: if there is no answer last, if the template does not allow for such turns, or if a code is
                outside [0, K).
        """
        if [turn.role for turn in turns] == ["text"]:
            text = tuple(self.content(turns[0]))
            return Example(text, text)
        if not turns or turns[-1].role != "assistant":
            raise LanguageError("An example must end with a turn of the assistant.")
        frame = self._frame(tuple(turn.role for turn in turns))
        tokens, labels = list(frame[0]), [IGNORED] * len(frame[0])
        for turn, after in zip(turns, frame[1:], strict=True):
            said = self.content(turn)
            tokens += said + after
            asked = len(said) + self._end(after) if turn.role == "assistant" else 0
            labels += (said + after)[:asked] + [IGNORED] * (len(said) + len(after) - asked)
        return Example(tuple(tokens), tuple(labels))

    def content(self, turn: Turn) -> list[int]:
        """What a turn says, to tokens, without the template around it.

        Raises:
            LanguageError: if a code is outside [0, K).
        """
        return [token for part in turn.parts for token in self._part(part, turn.role)]

    def _part(self, part: Part, role: Role) -> list[int]:
        if isinstance(part, str):
            return self.vocabulary.text(part)
        if self._timed_rate is None or role == "assistant":
            return self.vocabulary.span(part.codes)
        return self.vocabulary.timed_span(part.codes, self._timed_rate)

    def _end(self, after: list[int]) -> int:
        """How many tokens of a template belong to the answer before them: up to the first special one."""
        return next((n + 1 for n, token in enumerate(after) if token in self._special), 0)

    def _frame(self, roles: tuple[Role, ...]) -> list[list[int]]:
        """What the template writes before, between and after the contents of turns: one list more than roles."""
        if roles not in self._frames:
            self._frames[roles] = [self.vocabulary.template(text) for text in self._texts(roles)]
        return self._frames[roles]

    def _texts(self, roles: tuple[Role, ...]) -> list[str]:
        """What the template writes around contents, without the system prompt that some templates invent."""
        plain = self._render(roles)
        if "system" not in roles:
            try:
                system, whole = self._render(("system",)), self._render(("system", *roles))
            except LanguageError:  # a template that has no system turns invents none
                return plain
            if plain[0].startswith(system[0]) and whole[1].startswith(system[1]):
                bos = str(self.vocabulary.text_tokenizer.bos_token or "")
                first = whole[1].removeprefix(system[1])
                kept = bos if system[0].startswith(bos) and not first.startswith(bos) else ""
                return [kept + first, *whole[2:]]
        return plain

    def _render(self, roles: tuple[Role, ...]) -> list[str]:
        """What the template writes before, between and after the contents of turns."""
        marks = [f"\ue000{number}\ue001" for number in range(len(roles))]  # letters that no template has
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            text = str(self.vocabulary.text_tokenizer.apply_chat_template(messages, tokenize=False))
        except TemplateError as error:
            raise LanguageError(f"The base's chat template refuses turns of {', '.join(roles)} ({error}).") from None
        pieces = re.split("\ue000\\d+\ue001", text)
        if re.findall("\ue000\\d+\ue001", text) != marks:
            raise LanguageError(f"The base's chat template does not write turns of {', '.join(roles)} in order.")
        return pieces
