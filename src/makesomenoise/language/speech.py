"""Tokens that come one by one to text and sounds as they come; draws nothing itself."""

from collections.abc import Iterable, Iterator

from makesomenoise.language.prompts import Part, Sound
from makesomenoise.language.vocabulary import AudioVocabulary

_INCOMPLETE = "\ufffd"


def spoken(vocabulary: AudioVocabulary, tokens: Iterable[int]) -> Iterator[Part]:
    """What an answer says: pieces of text, none empty, and whole sounds.

    A letter of several bytes may take several tokens: its piece comes with the last of them.

    Args:
        vocabulary: of the tokens.
        tokens: of the answer, in which each sound is closed.

    Yields:
        texts, which follow each other to what the tokens spell, and sounds.
    """
    written = _Written(vocabulary)
    codes: list[int] | None = None
    for token in tokens:
        if token == vocabulary.start:
            yield from written.rest()
            codes = []
        elif token == vocabulary.end:
            yield Sound(tuple(codes or ()))
            written, codes = _Written(vocabulary), None
        elif codes is not None:
            codes += vocabulary.to_codes([token])
        else:
            yield from written.after(token)
    yield from written.rest()


class _Written:
    """The text of tokens so far, and how much of it was handed over."""

    def __init__(self, vocabulary: AudioVocabulary):
        self._text_tokenizer = vocabulary.text_tokenizer
        self._tokens: list[int] = []
        self._said = 0

    def after(self, token: int) -> Iterator[str]:
        self._tokens.append(token)
        text = self._text()
        if not text.endswith(_INCOMPLETE):
            yield from self._new(text)

    def rest(self) -> Iterator[str]:
        yield from self._new(self._text())

    def _new(self, text: str) -> Iterator[str]:
        if len(text) > self._said:
            yield text[self._said :]
            self._said = len(text)

    def _text(self) -> str:
        return str(
            self._text_tokenizer.decode(self._tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
