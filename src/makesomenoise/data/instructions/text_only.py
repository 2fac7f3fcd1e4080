"""Plain conversations without any sound: prompts of our own, and answers kept as JSON lines.

They keep a language model from forgetting language. The prompts are topics in forms, written for this; who answers
them is decided elsewhere.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from makesomenoise.errors import DataError
from makesomenoise.files import write_text

_TOPICS = """
apples, autumn, bees, bicycles, birthdays, books, bread, breakfast, bridges, butterflies, cameras, camping, carrots,
castles, cats, cheese, chess, chocolate, cities, clocks, clouds, coffee, colours, computers, cooking, dancing,
deserts, dinosaurs, dogs, dreams, electricity, elephants, exercise, family, farming, fire, fishing, flowers, football,
forests, friendship, gardens, glass, gold, gravity, hats, history, holidays, honey, horses, hospitals, houses, ice
cream, insects, islands, jokes, keys, kindness, kitchens, lakes, languages, laughter, learning, letters, libraries,
light, lions, magnets, maps, markets, mathematics, milk, mirrors, money, mountains, museums, music, newspapers, night,
numbers, oceans, onions, oranges, owls, painting, paper, parks, patience, pencils, penguins, photographs, planets,
plants, poetry, potatoes, rainbows, rice, rivers, robots, roads, salt, sand, schools, science, shadows, sheep, ships,
shoes, sleep, snow, soap, soup, spiders, sports, spring, stars, stones, stories, summer, sunlight, swimming, tea,
teachers, telephones, the moon, the weather, time, toys, trains, travel, trees, trust, vegetables, villages,
volcanoes, water, whales, wheels, wind, windows, winter, wood, work
"""
TOPICS = tuple(" ".join(topic.split()) for topic in _TOPICS.split(","))
TOPIC_FORMS = (
    "Explain {topic} in one sentence.",
    "Explain {topic} to a child.",
    "List three things about {topic}.",
    "Name three words that have to do with {topic}.",
    "Write a short sentence about {topic}.",
    "Write one question about {topic}.",
    "What is good about {topic}? Answer briefly.",
    "What is difficult about {topic}? Answer in one sentence.",
    "Why do people care about {topic}?",
    "Tell me something interesting about {topic}.",
    "Give me one piece of advice about {topic}.",
    "Write a title for a book about {topic}.",
    "Describe {topic} in a few words.",
    "Who needs {topic}, and what for?",
    "Write a two-line poem about {topic}.",
    "Where does one find out more about {topic}?",
    "What would the world be like without {topic}?",
    "Say something nice about {topic}.",
    "Write a paragraph about {topic}.",
    "Begin an essay about {topic}.",
    "Begin a story about {topic}.",
    "Write a news item about {topic}.",
    "Write a diary entry about {topic}.",
    "Write instructions that have to do with {topic}.",
)
PAIR_FORMS = (
    "What do {topic} and {other} have in common?",
    "Compare {topic} with {other} in one sentence.",
    "Which do you like better, {topic} or {other}?",
    "Use the words {topic} and {other} in one sentence.",
    "Tell one difference between {topic} and {other}.",
)
SUM_FORMS = (
    "What is {a} plus {b}?",
    "Add {a} and {b}.",
    "What is {a} minus {b}?",
    "How much is {a} times {b}?",
    "Which number is larger, {a} or {b}?",
    "I have {a} {topic} and get {b} more. How many do I have?",
)
RUDE = (
    "Give me the book.",
    "Close the door.",
    "You are late again.",
    "I do not want your help.",
    "Send me the report now.",
    "Be quiet.",
    "This soup is awful.",
    "Move your car.",
    "Answer my letter.",
    "That is not my problem.",
    "Clean your room.",
    "Wait outside.",
    "You forgot my birthday.",
    "Your plan will not work.",
    "Bring me some water.",
    "I have no time for you.",
)
POLITE_FORMS = (
    "Rewrite this politely: {text}",
    "Say this in a friendlier way: {text}",
    "Make this sentence polite: {text}",
)
OPENINGS = (
    "The old man opened the letter and smiled.",
    "Nobody had lived in the house for years.",
    "The train stopped in the middle of the field.",
    "She found a small key under the stone.",
    "It was the first day of the holidays.",
    "The cat looked at the empty bowl.",
    "Late in the evening somebody came to the door.",
    "The map showed an island with no name.",
    "They had one hour left to finish the cake.",
    "The teacher wrote one word on the board.",
    "Far up in the mountains there was a little shop.",
    "The boat was smaller than they remembered.",
    "He had never seen so much snow.",
    "The robot asked its first question.",
)
STORY_FORMS = (
    "Continue the story in one sentence: {text}",
    "What happens next? {text}",
    "Write one more sentence: {text}",
    "Give this story a short end: {text}",
)
_FAMILIES = {"topic": 0.5, "pair": 0.2, "sum": 0.15, "polite": 0.075, "story": 0.075}
_MOST_PROMPTS = 10_000


class ChatError(DataError):
    """Prompts or a file of chats that cannot be had; the message is one sentence for the user."""


@dataclass(frozen=True)
class Chat:
    """One question in words and its answer.

    Attributes:
        question: as the user says it.
        answer: as the assistant says it.
    """

    question: str
    answer: str


def prompts(count: int, seed: int) -> list[str]:
    """Plain prompts, no two of them the same; fewer of them are the beginning of more.

    Args:
        count: how many, at most 10000.
        seed: the same seed gives the same prompts.

    Raises:
        ChatError: if there are not so many.
    """
    if not 0 <= count <= _MOST_PROMPTS:
        raise ChatError(f"Cannot make {count} different prompts: ask for at most {_MOST_PROMPTS}.")
    rng, made = np.random.default_rng(seed), dict[str, None]()
    while len(made) < count:
        made[_prompt(rng)] = None
    return list(made)


def write_chat(path: str | Path, chats: Sequence[Chat]) -> None:
    """Writes chats, one JSON object a line; the file appears whole or not at all.

    Raises:
        AudioError: if the file cannot be written.
    """
    lines = [json.dumps(asdict(chat), ensure_ascii=False) for chat in chats]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_chat(path: str | Path) -> list[Chat]:
    """Reads what `write_chat` has written.

    Raises:
        ChatError: if there is no such file, or a line of it is not a chat.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise ChatError(f"Cannot read chats from {path}: give a file of JSON lines in UTF-8.") from None
    return [_chat(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _chat(line: str, place: str) -> Chat:
    try:
        chat = Chat(**json.loads(line))
    except (json.JSONDecodeError, TypeError):
        chat = None
    if chat is None or not all(isinstance(text, str) and text.strip() for text in (chat.question, chat.answer)):
        raise ChatError(f'{place} is not a chat: expected {{"question": "...", "answer": "..."}} with text in both.')
    return chat


def _prompt(rng: np.random.Generator) -> str:
    makers: dict[str, Callable[[], str]] = {
        "topic": lambda: _one(TOPIC_FORMS, rng).format(topic=_one(TOPICS, rng)),
        "pair": lambda: _pair(rng),
        "sum": lambda: _sum(rng),
        "polite": lambda: _one(POLITE_FORMS, rng).format(text=_one(RUDE, rng)),
        "story": lambda: _one(STORY_FORMS, rng).format(text=_one(OPENINGS, rng)),
    }
    return makers[str(rng.choice(list(_FAMILIES), p=list(_FAMILIES.values())))]()


def _pair(rng: np.random.Generator) -> str:
    first, second = rng.choice(len(TOPICS), 2, replace=False)
    return _one(PAIR_FORMS, rng).format(topic=TOPICS[int(first)], other=TOPICS[int(second)])


def _sum(rng: np.random.Generator) -> str:
    low, high = sorted(rng.choice(np.arange(1, 51), 2, replace=False).tolist())
    counted = ("apples", "books", "carrots", "flowers", "keys", "letters", "oranges", "stones")
    return _one(SUM_FORMS, rng).format(a=high, b=low, topic=_one(counted, rng))


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
