"""Questions stand beside their sound, mostly after it; requests name the length of what is made and mostly a text."""

import numpy as np
import pytest

from makesomenoise.data.instructions.templates import heard, made, with_sound
from makesomenoise.language import wording
from makesomenoise.language.prompts import Sound, Turn


def test_a_question_stands_beside_the_sound_mostly_after_it():
    rng = np.random.default_rng(0)
    orders = [with_sound((1, 2), "What is it?", rng) for _ in range(500)]
    first = sum(parts == (Sound((1, 2)), "What is it?") for parts in orders)
    assert set(orders) == {(Sound((1, 2)), "What is it?"), ("What is it?", Sound((1, 2)))}
    assert first / len(orders) == pytest.approx(0.8, abs=0.05)


def test_the_answer_follows_the_question():
    asked, said = heard((1, 2), "What is it?", "Rain.", np.random.default_rng(0))
    assert (asked.role, set(asked.parts)) == ("user", {Sound((1, 2)), "What is it?"})
    assert said == Turn("assistant", ("Rain.",))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_sound_is_asked_for_by_length_and_text_or_by_length_alone(share: float):
    rng = np.random.default_rng(0)
    for _ in range(50):
        asked, said = made("rain falls", (1, 2, 3, 4), 2.0, share, rng)
        (question,) = asked.parts
        assert said == Turn("assistant", (Sound((1, 2, 3, 4)),))
        assert "2 seconds" in str(question)
        assert ("rain falls" in str(question).lower()) == (share == 0.0)
        assert (question == wording.ANYTHING.format(length="2 seconds")) == (share == 1.0)
