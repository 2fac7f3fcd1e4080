"""Answers about scenes are counted by type, beside those that need no ears."""

import numpy as np
import pytest

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.data.instructions.scene_qa import TYPES, heard_in, scene_questions
from makesomenoise.evaluation.questioning import ask_scenes, question_scenes, seconds_said


def scene(number: int) -> CodeClip:
    events = (Event("dog", 0.4, 0.8, -20.0), Event("dog", 1.0, 1.4, -20.0), Event("rain", 2.2, 4.0, -30.0))
    return CodeClip(f"scenes-0-{number}", tuple(range(16)), 4.0, dataset="scenes", events=events)


SCENES = [scene(number) for number in range(8)]
ASKED = [
    scene_questions(one, np.random.default_rng([0, number]), heard_in(SCENES)) for number, one in enumerate(SCENES)
]
ITEMS = ask_scenes([CodeClip("a", (1,), 0.1), *SCENES])


def right(question) -> list[float]:
    return [0.0 if choice == question.answer else -9.0 for choice in question.choices]


def wrong(question) -> list[float]:
    return [-score for score in right(question)]


def test_who_hears_and_who_does_not_are_told_apart(language_model, canned):
    scores = [[[right(question), wrong(question)] for question in asks] for asks in ASKED]
    said = [[question.short.upper() for question in asks] for asks in ASKED]
    found = question_scenes(language_model, ITEMS, canned({"scene questions": scores, "scene questions freely": said}))
    assert list(found) == list(TYPES)
    assert sum(one.questions for one in found.values()) == sum(map(len, ASKED))
    for kind, one in found.items():
        assert (one.with_sound, one.less_without, one.without_sound, one.free) == (1.0, 1.0, 0.0, 1.0)
        assert (one.near is None) == (kind != "start")
    assert found["first"].chance == pytest.approx(1 / 4)
    assert found["first"].majority == 1.0  # it is a dog every time
    assert found["start"].near == 1.0
    assert 0.5 <= found["presence"].majority < 1.0


def test_a_moment_may_be_half_a_second_off(language_model, canned):
    scores = [[[right(question), right(question)] for question in asks] for asks in ASKED]
    said = [["After 2 seconds." if q.type == "start" else "" for q in asks] for asks in ASKED]
    found = question_scenes(language_model, ITEMS, canned({"scene questions": scores, "scene questions freely": said}))
    asked = [q for asks in ASKED for q in asks if q.type == "start"]
    assert 0.0 < found["start"].near < 1.0
    assert found["start"].near == sum("rain" in q.question for q in asked) / len(asked)  # at 2.2 s; the dog at 0.4


def test_a_model_is_asked_with_and_without_the_sound(language_model, parts):
    found = question_scenes(language_model, ITEMS[:2], parts)
    assert all(0.0 <= one.with_sound <= 1.0 for one in found.values())
    assert question_scenes(language_model, [], parts) == {}


def test_scenes_are_asked_and_other_clips_are_not():
    assert list(zip(SCENES, ASKED, strict=True)) == ITEMS


def test_moments_are_read_out_of_answers():
    said = ("Right away.", "It starts after 2.5 seconds.", "After three seconds", "at the end", "after 12 s")
    assert [seconds_said(text) for text in said] == [0.0, 2.5, 3.0, None, 12.0]
