"""How things are asked and said: many wordings of each, drawn at random, and the grammar of counts and lengths.

The first wording of each is the plain one: evaluation asks with it, and training meets it most often.
"""

from collections.abc import Sequence

import numpy as np

from makesomenoise.language import wording
from makesomenoise.language.prompts import Part, Sound, Turn
from makesomenoise.language.wording import capital, length, nearest_second

_PLAIN_SHARE = 0.4
_PLAIN_ANSWERS = 0.7  # less often said otherwise, which leaves more to learn about the sound

QUESTIONS = {
    "caption": (
        wording.CAPTION,
        "What do you hear?",
        "Write a caption for this sound.",
        "What is going on here?",
        "Tell me what this recording is of.",
        "Describe the audio in a few words.",
        "What can be heard?",
        "Caption this.",
    ),
    "classify": (
        wording.CLASSIFY,
        "Name this sound.",
        "Which sound is this? Give a short name.",
        "Give the label of this sound.",
        "Classify this sound.",
        "What kind of sound is it? One name only.",
    ),
    "choose": (
        wording.CHOOSE,
        "Choose the name that fits this sound: {choices}.",
        "What is this sound? Choose from: {choices}.",
        "Classify this sound as one of {choices}.",
        "Here are some names: {choices}. Which one is right?",
    ),
    "presence": (
        wording.PRESENCE,
        "Can you hear {heard}?",
        "Do you hear {heard}?",
        "Does this recording contain {heard}?",
        "Listen: is there {heard} in it?",
    ),
    "generate": (
        wording.GENERATE,
        "Make {length} of sound: {text}.",
        "Generate this for {length}: {text}.",
        "I want to hear this for {length}: {text}.",
        "Create a sound of {length}: {text}.",
        "Let me hear {length} of this: {text}.",
        "{text}, for {length}.",
    ),
    "go_on": (
        wording.GO_ON,
        "How does this sound go on for {length}?",
        "Go on with this for {length}.",
        "Add {length} to this sound.",
    ),
    "first": (
        "What comes first?",
        "Which sound comes first?",
        "What do you hear first?",
        "What is the first sound?",
        "How does this recording begin?",
    ),
    "last": (
        "What comes last?",
        "Which sound comes last?",
        "What do you hear at the end?",
        "What is the last sound?",
        "How does this recording end?",
    ),
    "count": (
        "How many times do you hear {heard}?",
        "How often do you hear {heard}?",
        "Count the times that you hear {heard}.",
        "{heard}: how many times?",
    ),
    "louder": (
        "Which is louder: {a} or {b}?",
        "What is louder, {a} or {b}?",
        "Of {a} and {b}, which is louder?",
        "Compare {a} with {b}: which is louder?",
    ),
    "level": (
        "How loud is {heard}?",
        "How loud is this: {heard}?",
        "What level does {heard} have?",
        "{heard}: how loud?",
    ),
    "start": (
        "When do you first hear {heard}?",
        "When does this start: {heard}?",
        "After how many seconds do you hear {heard}?",
        "At what time do you first hear {heard}?",
    ),
    "order": (
        "In what order do the sounds come?",
        "List the sounds in order.",
        "Which sounds follow each other here?",
        "What is the sequence of sounds?",
    ),
    "timeline": (
        "What starts in which second?",
        "When does each sound start?",
        "Write a timeline of this sound.",
        "List the sounds with their times.",
    ),
}

ANSWERS = {
    "caption": (
        "{Heard}.",
        "{Happens}.",
        "This is {heard}.",
        "I hear {heard}.",
        "You can hear {heard}.",
        "It sounds like {heard}.",
    ),
    "guess": ("It may be {heard}.", "This could be {heard}.", "It sounds a little like {heard}."),
    "first": ("{Answer}.", "{Answer} comes first.", "First there is {answer}.", "It begins with {answer}."),
    "last": ("{Answer}.", "{Answer} comes last.", "At the end there is {answer}.", "It ends with {answer}."),
    "count": ("{Answer}.", "I hear it {answer}.", "It is heard {answer}."),
    "presence": ("{Answer}.",),
    "louder": ("{Answer}.", "{Answer} is louder.", "The louder one is {answer}."),
    "level": ("{Answer}.", "It is {answer}.", "I find it {answer}."),
    "start": ("{Answer}.", "It starts {answer}.", "I first hear it {answer}."),
    "order": ("{Answer}.", "First {answer}.", "The order is: {answer}."),
}
_YES = ("Yes.", "Yes, there is {heard}.", "Yes, I hear {heard}.")
_NO = ("No.", "No, I do not hear that.", "No, there is nothing like that.")
NONE_OF_THESE = "none of these"
_TIMES = ("never", "once", "twice", "three times", "four times", "five times")
_SOUND_FIRST = 0.8


def question(kind: str, rng: np.random.Generator | None = None, **words: str) -> str:
    """A question of a kind.

    Args:
        kind: a key of `QUESTIONS`.
        rng: chooses the wording; the plain one where it is not given.
        words: what its blanks are filled with.
    """
    return capital(_chosen(QUESTIONS[kind], rng).format(**words))


def answer(kind: str, rng: np.random.Generator | None = None, **words: str) -> str:
    """An answer of a kind; a blank that begins with a capital is filled with the word of that name, capitalised.

    Args:
        kind: a key of `ANSWERS`.
        rng: chooses the wording; the plain one where it is not given.
        words: what its blanks are filled with.
    """
    both = words | {name.capitalize(): capital(word) for name, word in words.items()}
    return _chosen(ANSWERS[kind], rng, _PLAIN_ANSWERS).format(**both)


def yes_or_no(present: bool, heard: str, rng: np.random.Generator | None = None) -> str:
    """The answer to whether something is heard."""
    return _chosen(_YES if present else _NO, rng, _PLAIN_ANSWERS).format(heard=heard)


def times(count: int) -> str:
    """`twice`, `three times`, ..."""
    return _TIMES[count] if count < len(_TIMES) else f"{count} times"


def repeated(text: str, count: int) -> str:
    """A clause or phrase with how often it happens, where that is more than once."""
    return f"{text} {times(count)}" if count > 1 else text


def moment(seconds: float) -> str:
    """`right away`, `after 2 seconds`, ... to the nearest second."""
    whole = nearest_second(seconds)
    return f"after {length(whole)}" if whole else "right away"


def listed(names: Sequence[str]) -> str:
    """Names with commas between them."""
    return ", ".join(names)


def then(texts: Sequence[str]) -> str:
    """Clauses or phrases in the order in which they happen."""
    return ", then ".join(texts)


def _chosen(wordings: Sequence[str], rng: np.random.Generator | None, plain: float = _PLAIN_SHARE) -> str:
    if rng is None or rng.random() < plain:
        return wordings[0]
    return wordings[int(rng.integers(len(wordings)))]


def heard(codes: tuple[int, ...], question: str, answer: str, rng: np.random.Generator) -> tuple[Turn, ...]:
    """A question about codes [N], and its answer."""
    return Turn("user", with_sound(codes, question, rng)), Turn("assistant", (answer,))


def with_sound(codes: tuple[int, ...], question: str, rng: np.random.Generator) -> tuple[Part, ...]:
    """Codes [N] and a question about them; the sound mostly comes first."""
    return (Sound(codes), question) if rng.random() < _SOUND_FIRST else (question, Sound(codes))


def made(
    text: str, codes: tuple[int, ...], code_rate: float, unconditional: float, rng: np.random.Generator
) -> tuple[Turn, ...]:
    """A request for a sound of a length, and the sound.

    Args:
        text: what is asked for.
        codes: [N], what is made.
        code_rate: codes a second.
        unconditional: share of the requests that ask for nothing but the length.
        rng: chooses the wording.
    """
    length = wording.length(len(codes) / code_rate)
    request = question("generate", rng, text=text, length=length)
    if rng.random() < unconditional:
        request = wording.ANYTHING.format(length=length)
    return Turn("user", (request,)), Turn("assistant", (Sound(codes),))
