"""Scenes are told as they were made, whole or cut down to one sound, and asked what the mixture wants."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions import templates
from makesomenoise.data.instructions.examples import SceneTasks, TaskWeights
from makesomenoise.language.prompts import Sound, Turn

RATE = 23.4375


def said(turn: Turn) -> str:
    (text,) = (part for part in turn.parts if isinstance(part, str))
    return text


def heard(turns: tuple[Turn, ...]) -> tuple[int, ...]:
    (part,) = (part for part in turns[0].parts if isinstance(part, Sound))
    return part.codes


def drawn(task: str, count: int, clips: list[CodeClip], **mixture) -> list[tuple[Turn, ...]]:
    tasks = SceneTasks(clips, RATE, TaskWeights(**mixture))
    return [getattr(tasks, task)(np.random.default_rng(number)) for number in range(count)]


def test_scenes_are_told_whole_or_by_their_sounds(scene: CodeClip):
    alone = set()
    for turns in drawn("caption", 100, [scene]):
        if heard(turns) == scene.codes:
            assert said(turns[-1]) == "A dog barks twice, then rain falls."
        else:
            assert len(heard(turns)) < len(scene.codes)
            alone.add(said(turns[-1]))
    assert alone == {"A dog barks twice.", "Rain falls."}


def test_timelines_are_of_whole_scenes(scene: CodeClip):
    for turns in drawn("timeline", 20, [scene], single_sound_fraction=1.0):
        assert heard(turns) == scene.codes
        assert said(turns[-1]) == "0 s: a dog barking. 1 s: a dog barking. 2 s: rain falling."


def test_scenes_are_made_at_their_length_or_without_a_text(scene: CodeClip):
    for turns in drawn("generate", 50, [scene], single_sound_fraction=0.0, unconditional=0.0):
        assert "a dog barks twice, then rain falls" in said(turns[0]).lower()
        assert "4.3 seconds" in said(turns[0])
        assert turns[1].parts == (Sound(scene.codes),)
    assert not any("dog" in said(turns[0]) for turns in drawn("generate", 20, [scene], unconditional=1.0))


def test_no_question_is_answered_by_those_before_it(scene: CodeClip, mixed_scene: CodeClip):
    naming = {text for kind in ("first", "last", "order") for text in templates.QUESTIONS[kind]}
    begun = Counter()
    for turns in drawn("question", 200, [scene, mixed_scene], follow_ups=20):
        pairs = [(said(question), said(answer)) for question, answer in zip(turns[::2], turns[1::2], strict=True)]
        stages = [0 if answer in ("Yes.", "No.") else 1 if question in naming else 2 for question, answer in pairs]
        assert stages == sorted(stages)
        assert stages.count(1) <= 1
        begun[stages[0]] += 1
    assert set(begun) == {0, 1, 2}


def test_scenes_are_asked_what_is_wanted_where_any_answers_it(scene: CodeClip):
    wanted = {"question_types": ("count",), "follow_ups": 5}
    rain = replace(scene, events=scene.events[-1:])
    for share in (0.0, 1.0):  # of what is cut down to its rain nothing is asked
        answers = {
            said(turns[-1]) for turns in drawn("question", 100, [scene, rain], single_sound_fraction=share, **wanted)
        }
        assert answers == {"Twice.", "I hear it twice.", "It is heard twice."}
    told = {said(turns[-1]) for turns in drawn("question", 50, [rain], **wanted)}
    assert all(answer.startswith(("Yes", "No")) for answer in told)


def test_levels_are_asked_where_they_are_wanted(scene: CodeClip):
    asked = [said(turns[0]) for turns in drawn("question", 40, [scene], question_types=("level",), follow_ups=0)]
    assert all(any(word in question.lower() for word in ("loud", "level")) for question in asked)
    usual = [said(turn) for turns in drawn("question", 40, [scene], follow_ups=20) for turn in turns[::2]]
    assert not any("how loud" in question.lower() for question in usual)


def test_other_questions_come_between_those_that_are_wanted(scene: CodeClip):
    wanted = {"question_types": ("count",), "follow_ups": 0, "single_sound_fraction": 0.0}

    def counted(share: float) -> float:
        conversations = drawn("question", 400, [scene], types_share=share, **wanted)
        return sum("twice" in said(turns[-1]).lower() for turns in conversations) / len(conversations)

    none, half, every = (counted(share) for share in (0.0, 0.5, 1.0))
    assert every == 1.0
    assert 0.0 < none < 0.3
    assert half == pytest.approx((none + every) / 2.0, abs=0.08)


def test_there_may_be_no_scenes(scene: CodeClip, plain_clips: list[CodeClip]):
    assert SceneTasks([scene, *plain_clips], RATE, TaskWeights())
    assert not SceneTasks(plain_clips, RATE, TaskWeights())
