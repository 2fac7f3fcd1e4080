"""The plain wordings: what a model is asked in where nobody says it in other words, and meets most often in training.

They stand here alone, so that what is asked is what was learned. Knows no model.
"""

import math

CAPTION = "Describe this sound."
CLASSIFY = "What is this sound? Answer with its name."
CHOOSE = "Which of these is it: {choices}?"
PRESENCE = "Is there {heard} in this sound?"
GENERATE = "Make this sound for {length}: {text}."
ANYTHING = "Make a sound for {length}."  # the same with nothing asked for, against which guidance compares
GO_ON = "Continue this sound for {length}."


def length(seconds: float) -> str:
    """`1 second`, `2.5 seconds`, ...; never nothing."""
    value = f"{max(seconds, 0.1):.1f}".removesuffix(".0")
    return f"{value} second" if value == "1" else f"{value} seconds"


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def clause(text: str) -> str:
    """What is to be heard, as it stands within a request: `A dog barks.` is `a dog barks`."""
    text = text.strip().rstrip(".").rstrip()
    return text[:1].lower() + text[1:] if text[:2].istitle() else text


def nearest_second(seconds: float) -> int:
    """The nearest full second, the later one of two: as times are told, in sounds and in words."""
    return math.floor(seconds + 0.5)
