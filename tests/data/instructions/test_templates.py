"""Wordings are many, complete and grammatical."""

import numpy as np
import pytest

from makesomenoise.data.instructions import templates

WORDS = {
    "heard": "a dog barking",
    "happens": "a dog barks",
    "choices": "dog, rain",
    "text": "a dog barks",
    "length": "2 seconds",
    "a": "rain falling",
    "b": "a dog barking",
    "answer": "once",
}


@pytest.mark.parametrize("kind", templates.QUESTIONS)
def test_every_question_has_many_wordings_and_no_blank_left(kind: str):
    rng = np.random.default_rng(0)
    asked = {templates.question(kind, rng, **WORDS) for _ in range(300)}
    assert asked == {templates.capital(wording.format(**WORDS)) for wording in templates.QUESTIONS[kind]}
    assert len(asked) >= 4
    assert all(text[0].isupper() and text[-1] in ".?" and "{" not in text for text in asked)


@pytest.mark.parametrize("kind", templates.ANSWERS)
def test_every_answer_is_a_sentence(kind: str):
    rng = np.random.default_rng(0)
    for _ in range(100):
        text = templates.answer(kind, rng, **WORDS)
        assert text[0].isupper()
        assert text.endswith(".")
        assert "{" not in text


def test_the_plain_wording_is_the_first():
    assert templates.question("first") == "What comes first?"
    assert templates.answer("first", answer="a dog barking") == "A dog barking."
    assert templates.yes_or_no(True, "rain") == "Yes."
    assert templates.yes_or_no(False, "rain") == "No."


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.0, "1 second"), (2.5, "2.5 seconds"), (0.04, "0.1 seconds"), (10.0, "10 seconds")]
)
def test_lengths(seconds: float, text: str):
    assert templates.length(seconds) == text


def test_half_a_second_is_of_the_second_to_come():
    assert [templates.nearest_second(seconds) for seconds in (0.0, 0.49, 0.5, 1.4, 1.5, 2.5)] == [0, 0, 1, 1, 2, 3]


def test_moments_and_counts():
    assert [templates.moment(s) for s in (0.2, 1.1, 3.6)] == ["right away", "after 1 second", "after 4 seconds"]
    assert [templates.times(n) for n in (1, 2, 3, 7)] == ["once", "twice", "three times", "7 times"]
    assert templates.repeated("a dog barks", 1) == "a dog barks"
    assert templates.then(["a dog barks twice", "rain falls"]) == "a dog barks twice, then rain falls"
