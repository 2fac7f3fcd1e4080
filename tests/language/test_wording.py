"""What is asked is what was learned: one place words it, and data and model both go there."""

import pytest

from makesomenoise.data.instructions import templates
from makesomenoise.language import wording


@pytest.mark.parametrize("kind", ["caption", "classify", "choose", "presence", "generate", "go_on"])
def test_data_asks_most_often_in_the_plain_words(kind: str):
    assert templates.QUESTIONS[kind][0] == getattr(wording, kind.upper())


def test_nothing_asked_for_is_the_request_without_its_text():
    asked = wording.GENERATE.format(length="2 seconds", text="rain")
    assert asked == "Make this sound for 2 seconds: rain."
    assert wording.ANYTHING.format(length="2 seconds") == "Make a sound for 2 seconds."


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.0, "1 second"), (2.5, "2.5 seconds"), (0.04, "0.1 seconds"), (9.96, "10 seconds")]
)
def test_lengths(seconds: float, text: str):
    assert wording.length(seconds) == templates.length(seconds) == text


@pytest.mark.parametrize(
    ("text", "clause"),
    [(" A dog barks. ", "a dog barks"), ("Rain", "rain"), ("US siren", "US siren"), ("rain...", "rain"), ("", "")],
)
def test_a_text_stands_within_a_request(text: str, clause: str):
    assert wording.clause(text) == clause
    assert wording.capital("a dog") == "A dog"
