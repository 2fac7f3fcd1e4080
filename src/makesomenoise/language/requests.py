"""Whether a text asks for a sound, and for which and how long a one, in whatever words; knows no model.

A model makes sounds when it is asked in the words of its training. People ask in their own, which are told by rules: a
verb of making or hearing, and something that can be heard.
"""

import re
from dataclasses import dataclass

_LONGEST_REQUEST = 300  # letters; what is longer tells a story
_ASKED = (
    r"(?:(?:can|could|would|will) you|i(?:'d| would) like you to|i (?:want|need) you to|let's|try to|just|now|also)"
)
_POLITE = re.compile(
    rf"(?:(?:hi|hey|hello|ok|okay|well|so|great|thanks|please|kindly|and|then|{_ASKED})\b[\s,.!:]*)+", re.I
)
_MAKE = re.compile(
    r"(?P<verb>make|create|generate|produce|play|give|do|synthesi[sz]e|render|simulate|imitate|compose)\b"
    r"(?:\s+(?:me|us)\b)?\s*(?P<what>.*)",
    re.I | re.S,
)
_WANT = r"i(?:'d| would) (?:like|love)|i (?:want|wanna|wish|need)"
_HEAR = re.compile(
    rf"(?:let (?:me|us)|(?:{_WANT})(?: to)?) (?:hear|listen to)\s+(?P<what>.*)"
    rf"|(?:{_WANT})\s+(?P<thing>(?:a|an|the|some)\b.*)",
    re.I | re.S,
)
_NOUN = r"(?:sound effects?|sounds?|noises?|audio(?: clips?| files?)?|(?:sound )?clips?|recordings?|sound samples?)"
_OF = r"(?:\s*:|\s+(?:of|from|like|with|in which|where|that is|that sounds like)\b)"
# `the sound of rain`, `a short recording of rain`, `this sound: rain`
_NOUN_FIRST = re.compile(rf"(?:(?:a|an|the|some|any|this|one)\s+)?(?:\w+\s+)?{_NOUN}{_OF}\s*(?P<text>.+)", re.I | re.S)
# `the noise that a cat makes`
_NOUN_MADE = re.compile(rf"(?:the|a)\s+{_NOUN}\s+(?:that\s+)?(?P<text>.+?)\s+makes?", re.I | re.S)
_NOUN_ALONE = re.compile(
    rf"(?:(?:a|an|some|any)\s+)?(?:(?:random|new|nice|loud|short|long|other|another)\s+)?{_NOUN}", re.I
)
_NOUN_LAST = re.compile(r"(?P<text>.+?)\s+(?:sound effects?|sounds?)", re.I | re.S)
_NUMBERS = {
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
    **{"eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60},
    **{"a couple of": 2, "a few": 3, "several": 5, "an": 1, "a": 1, "half a": 0.5, "half": 0.5},
}
_UNITS = {"m": 60.0, "s": 1.0}
_LENGTH = re.compile(
    r"(?:\b(?:for|lasting|of|in|about|around|exactly|that is|that lasts)\s+)*"
    rf"(?P<number>\b\d+(?:[.,]\d+)?|\b(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))}))"
    r"[\s-]*(?P<unit>seconds?|secs?|s|minutes?|mins?)\b(?:\s+(?:long|of)\b)?",
    re.I,
)
# What follows is something to do, not something to hear, however long it is to take.
_TOLD = """
are at caption classify continue cut describe did does explain extend go has have he how i in is listen name say she
stop tell there they trim wait was we were what when where who why
"""
# What is made of words or pictures, or is no thing at all.
_UNHEARD = """
advice answer answers argument article caption captions cards chess choice code comparison decision definition
description descriptions details difference drawing email essay example examples explanation fact facts friends fun
function game games guess hint hints idea ideas image images information joke jokes label labels letter list lists
mistake money name names number numbers opinion paragraph part photo picture pictures plan poem poems program question
questions quiz reason reasons recipe report role script sense sentence sentences story stories summary sure table text
time tip tips title transcript translation use video way word words you your
"""
_POINTS_BACK = "it this that these those them him her up again more better as"


@dataclass(frozen=True)
class SoundRequest:
    """A sound that was asked for.

    Attributes:
        text: what is to be heard; empty where anything is.
        seconds: how long; none where that was not said.
    """

    text: str
    seconds: float | None


def sound_request(text: str) -> SoundRequest | None:
    """The sound that a text asks for; none where it asks for none.

    Args:
        text: what somebody said: `Make a sound of rain`, `Can you play me ten seconds of thunder?`
    """
    if len(text) > _LONGEST_REQUEST:
        return None
    seconds, rest = _length(_trimmed(text))
    polite = _POLITE.match(rest)
    rest = _trimmed(rest[polite.end() :] if polite else rest)
    what = _wanted(rest, text, seconds)
    return None if what is None else SoundRequest(what, seconds)


def _wanted(rest: str, text: str, seconds: float | None) -> str | None:
    """What is to be heard, in the words after any politeness; none where nothing is asked for."""
    if found := _HEAR.fullmatch(rest):
        return (
            _heard(found["what"] or "", needs_noun=False) if found["what"] else _heard(found["thing"], needs_noun=True)
        )
    if found := _MAKE.fullmatch(rest):
        return _heard(found["what"], needs_noun=found["verb"].lower() == "do")
    if "?" in text:
        return None
    if seconds is not None and _first(rest) not in _TOLD.split():
        return _heard(rest, needs_noun=False)
    found = _NOUN_FIRST.fullmatch(rest)
    return _heard(rest, needs_noun=True) if found else None


def _heard(what: str, needs_noun: bool) -> str | None:
    """The sound that is named; none where something else is, or nothing where it must be."""
    what = _trimmed(re.sub(r"\bplease\b|\bfor (?:me|us)\b", "", what, flags=re.I))
    if _NOUN_ALONE.fullmatch(what):
        return ""
    for form in (_NOUN_FIRST, _NOUN_MADE, _NOUN_LAST):
        if found := form.fullmatch(what):
            what, needs_noun = _trimmed(found["text"]), False
            if form is _NOUN_LAST:  # the article was that of the sound: `a rain sound`
                what = re.sub(r"^(?:an?|the)\s+(\S+)$", r"\1", what, flags=re.I)
            break
    words = re.findall(r"[\w']+", what.lower())
    if needs_noun or not words or words[0] in _POINTS_BACK.split() or set(words[:4]) & set(_UNHEARD.split()):
        return None
    return re.sub(r"^some\s+", "", what, flags=re.I)


def _length(text: str) -> tuple[float | None, str]:
    """How long a sound is to be, and the text without that."""
    found = _LENGTH.search(text)
    if found is None:
        return None, text
    number = found["number"].lower()
    seconds = _NUMBERS[number] if number in _NUMBERS else float(number.replace(",", "."))
    rest = f"{text[: found.start()]} {text[found.end() :]}"
    return seconds * _UNITS[found["unit"][0].lower()], _trimmed(re.sub(r"\s+", " ", rest))


def _first(text: str) -> str:
    return text.lower().partition(" ")[0]


def _trimmed(text: str) -> str:
    return text.strip().strip(" .!?,;\"'").strip()
