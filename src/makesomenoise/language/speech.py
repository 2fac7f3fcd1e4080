"""Tokens that come one by one to text and sounds as they come; draws nothing itself."""

import re
from collections.abc import Iterable, Iterator

from makesomenoise.language.prompts import Part, Sound
from makesomenoise.language.vocabulary import AudioVocabulary

_INCOMPLETE = "\ufffd"
_SENTENCE = re.compile(r".*?(?:[.!?][\"')]*(?=\s)|\n)", re.S)
_MARK = 2  # letters of what is no sentence but a mark, such as `2.`
_ROUND = 12


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


def without_repeats(pieces: Iterable[str], longest: int) -> Iterator[str]:
    """Text up to where it says a sentence again, or turns around a few words; as a small model babbles.

    Args:
        pieces: that follow each other.
        longest: letters after which the text ends with its sentence.

    Yields:
        pieces that follow each other to the beginning of what was given. What may become a sentence that was said
        before is kept back until it does not.
    """
    said: set[str] = set()
    now, given, total = "", 0, 0
    for piece in pieces:
        now += piece
        while total <= longest and (end := _SENTENCE.match(now)):
            if _babbles(end[0], said):
                return
            if len(end[0]) > given:
                yield end[0][given:]
            said.add(_plain(end[0]))
            total += len(end[0])
            now, given = now[end.end() :], 0
        if total > longest or _turns_around(now):
            return
        if len(now) > given and not any(sentence.startswith(_plain(now)) for sentence in said):
            yield now[given:]
            given = len(now)
    if _plain(now) not in said and len(now) > given:
        yield now[given:]


def _plain(sentence: str) -> str:
    """A sentence without what tells apart the items of a list."""
    return re.sub(r"^[\W\d]+|\W+$", "", sentence.lower())


def _babbles(sentence: str, said: set[str]) -> bool:
    plain = _plain(sentence)
    return (plain in said and len(plain) > _MARK) or _turns_around(sentence)


def _turns_around(sentence: str) -> bool:
    words = sentence.lower().split()[-_ROUND:]
    return len(words) == _ROUND and len(set(words)) <= _ROUND // 4


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
