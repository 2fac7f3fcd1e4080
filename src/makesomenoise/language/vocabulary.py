"""Codes as words: the tokens that a text tokenizer gains so that an LLM can read and write sound.

The one place where codes become tokens and tokens codes, and where text becomes tokens: text that spells one of the
new words, or any other special token, stays text.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, TypeVar, Union

import numpy as np
from tokenizers import AddedToken

from makesomenoise.language.config import LanguageError
from makesomenoise.language.wording import nearest_second

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from makesomenoise.language.text_tokenizer import TextTokenizer

Where = TypeVar("Where", np.ndarray, "Tensor")
AnyTextTokenizer = Union["TextTokenizer", "PreTrainedTokenizerBase"]
START = "<|audio|>"
END = "<|/audio|>"


class AudioVocabulary:
    """The tokens of K codes, of the start and of the end of a sound, K + 2 in a row.

    Attributes:
        text_tokenizer: of the LLM, with the new tokens.
        codebook_size: number of codes K.
        first: token of code 0; the other codes follow.
        start: token that opens a sound.
        end: token that closes a sound.
    """

    def __init__(self, text_tokenizer: AnyTextTokenizer, codebook_size: int, first: int):
        self.text_tokenizer = text_tokenizer
        self.codebook_size = codebook_size
        self.first = first
        self.start = first + codebook_size
        self.end = self.start + 1
        added = text_tokenizer.added_tokens_decoder.values()
        plain = sorted((re.escape(token.content) for token in added if not token.special), key=len, reverse=True)
        self._plain_added = re.compile("|".join(plain)) if plain else None

    @classmethod
    def extend(cls, text_tokenizer: AnyTextTokenizer, codebook_size: int) -> Self:
        """Adds the new words to a text tokenizer, which is changed; words it has already are kept.

        Args:
            text_tokenizer: of the LLM.
            codebook_size: number of codes K.

        Raises:
            LanguageError: if it has some of the words already, for another number of codes.
        """
        words = [*(f"<|a{code}|>" for code in range(codebook_size)), START, END]
        new = [AddedToken(word, special=True, normalized=False) for word in words]
        text_tokenizer.add_tokens(new)  # pyright: ignore[reportArgumentType] - transformers asks for its own name of it
        known = text_tokenizer.get_vocab()
        first = known[words[0]]
        if [known[word] for word in words] != list(range(first, first + len(words))):
            raise LanguageError("The text tokenizer has words for other codes already: use the base it was made from.")
        return cls(text_tokenizer, codebook_size, first)

    @property
    def token_ids(self) -> list[int]:
        """All K + 2 new tokens: codes, start, end."""
        return list(range(self.first, self.end + 1))

    def to_tokens(self, codes: Iterable[int]) -> list[int]:
        """Codes [N] to tokens.

        Raises:
            LanguageError: if a code is outside [0, K).
        """
        numbers = [int(code) for code in codes]
        for code in numbers:
            if not 0 <= code < self.codebook_size:
                raise LanguageError(f"Code {code} is outside [0, {self.codebook_size}).")
        return [self.first + code for code in numbers]

    def to_codes(self, tokens: Iterable[int]) -> list[int]:
        """Tokens [N] to codes.

        Raises:
            LanguageError: if a token stands for no code.
        """
        numbers = [int(token) for token in tokens]
        for token in numbers:
            if not self.first <= token < self.start:
                raise LanguageError(f"Token {token} stands for no code: those are [{self.first}, {self.start}).")
        return [token - self.first for token in numbers]

    def span(self, codes: Iterable[int]) -> list[int]:
        """Codes [N] to the tokens of a whole sound: start, codes, end.

        Raises:
            LanguageError: if a code is outside [0, K).
        """
        return [self.start, *self.to_tokens(codes), self.end]

    def timed_span(self, codes: Iterable[int], code_rate: float) -> list[int]:
        """Codes [N] to the tokens of a whole sound that tells the time.

        Wherever the nearest full second becomes another one, its number stands between the codes, in digits of text.

        Args:
            codes: [N].
            code_rate: codes a second.

        Raises:
            LanguageError: if a code is outside [0, K).
        """
        tokens, told = [self.start], 0
        for place, token in enumerate(self.to_tokens(codes)):
            second = nearest_second(place / code_rate)
            if second != told:
                tokens += self.text(str(second))
                told = second
            tokens.append(token)
        return [*tokens, self.end]

    def is_audio(self, tokens: Where) -> Where:
        """Where tokens are of the K + 2 new ones: booleans of the same shape."""
        return (tokens >= self.first) & (tokens <= self.end)

    def is_code(self, tokens: Where) -> Where:
        """Where tokens stand for codes: booleans of the same shape."""
        return (tokens >= self.first) & (tokens < self.start)

    def text(self, text: str) -> list[int]:
        """Text to tokens, none of which is special or added, whatever the text spells; what is no text becomes `?`."""
        text = text.encode("utf-8", "replace").decode()  # halves of pairs stand for bytes that were no UTF-8
        return [token for part in self._harmless(text) for token in self._encode(part)]

    def template(self, text: str) -> list[int]:
        """A piece of a chat template to tokens: what spells a special token is that token. Never for users' text."""
        return self.text_tokenizer.encode(text, add_special_tokens=False)

    def _encode(self, text: str) -> list[int]:
        return self.text_tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def _harmless(self, text: str) -> list[str]:
        """The text, cut inside of every added token that `split_special_tokens` does not split: those not special."""
        parts = [text]
        while self._plain_added and (found := self._plain_added.search(parts[-1])):
            last = parts.pop()
            parts += [last[: found.start() + 1], last[found.start() + 1 :]]
        return parts
