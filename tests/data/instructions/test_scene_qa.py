"""Every question about a scene has the one right answer among its choices."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import (
    TYPES,
    Question,
    all_questions,
    described,
    heard_in,
    level_questions,
    others,
    parts,
    scene_questions,
    timeline,
    untold,
)
from makesomenoise.data.ontology import default_ontology


def asked(clip: CodeClip, count: int = 40, varied: bool = False) -> list[Question]:
    return [q for seed in range(count) for q in scene_questions(clip, np.random.default_rng(seed), varied=varied)]


def answers(clip: CodeClip, kind: str) -> set[tuple[str, str]]:
    return {(q.question, q.answer) for q in asked(clip) if q.type == kind}


def test_a_sequence_is_asked_everything(scene: CodeClip):
    assert [q.type for q in scene_questions(scene, np.random.default_rng(0))] == list(TYPES)


def test_the_answers_are_right(scene: CodeClip):
    assert answers(scene, "first") == {("What comes first?", "A dog barking.")}
    assert answers(scene, "last") == {("What comes last?", "Rain falling.")}
    assert answers(scene, "count") == {("How many times do you hear a dog barking?", "Twice.")}
    assert answers(scene, "start") == {
        ("When do you first hear a dog barking?", "Right away."),
        ("When do you first hear rain falling?", "After 2 seconds."),
    }
    assert {answer for _, answer in answers(scene, "louder")} == {"Rain falling."}
    assert answers(scene, "order") == {("In what order do the sounds come?", "A dog barking, then rain falling.")}


def test_presence_is_asked_both_ways(scene: CodeClip):
    there = {f"Is there {heard} in this sound?" for heard in ("a dog barking", "rain falling")}
    found = answers(scene, "presence")
    assert {question for question, answer in found if answer == "Yes."} == there
    assert len({question for question, answer in found if answer == "No."} - there) > 10
    yes = [q.answer == "Yes." for q in asked(scene, 200) if q.type == "presence"]
    assert 0.4 < np.mean(yes) < 0.6


def test_what_has_no_exact_answer_is_not_asked(mixed_scene: CodeClip, plain_clips: list[CodeClip]):
    assert {q.type for q in asked(mixed_scene)} == {"presence", "count", "start"}
    assert answers(mixed_scene, "start") == {("When do you first hear a dog barking?", "After 3 seconds.")}
    assert scene_questions(plain_clips[0], np.random.default_rng(0)) == []


@pytest.mark.parametrize("varied", [False, True])
def test_choices_hold_the_answer_once_and_in_any_place(scene: CodeClip, varied: bool):
    found = asked(scene, varied=varied)
    for question in found:
        assert question.choices.count(question.answer) == 1
        assert len(set(question.choices)) == len(question.choices)
    places = {kind: {q.choices.index(q.answer) for q in found if q.type == kind} for kind in TYPES}
    assert all(len(place) > 1 for place in places.values())


def test_scenes_are_described_in_order(scene: CodeClip, mixed_scene: CodeClip):
    assert described(parts(scene.events, scene.ontology)) == "a dog barks twice, then rain falls"
    assert described(parts(mixed_scene.events, mixed_scene.ontology)) == "rain falls while a dog barks"


def test_a_timeline_names_all_that_starts_in_each_second(scene: CodeClip, mixed_scene: CodeClip):
    assert timeline(scene.events, scene.ontology) == "0 s: a dog barking. 1 s: a dog barking. 2 s: rain falling."
    assert timeline(mixed_scene.events, mixed_scene.ontology) == "0 s: rain falling. 3 s: a dog barking."
    assert timeline((), default_ontology()) == ""


def test_every_moment_is_a_choice_of_when_it_starts(scene: CodeClip):
    choices = {frozenset(q.choices) for q in asked(scene) if q.type == "start"}
    assert choices == {frozenset(["Right away.", "After 1 second.", *(f"After {n} seconds." for n in range(2, 9))])}


def test_absent_sounds_come_as_often_as_in_the_pool(scene: CodeClip):
    rare = ["cow", "pig", "hen", "frog", "crow", "cat", "sheep", "rooster", "siren"]
    pool = [
        default_ontology().names["rain"],
        *[default_ontology().names["siren"]] * 8,
        *(default_ontology().names[name] for name in rare),
    ]
    rngs = [np.random.default_rng(seed) for seed in range(400)]
    found = [q for rng in rngs for q in scene_questions(scene, rng, pool) if q.type == "presence"]
    absent = [q.question for q in found if q.answer == "No."]
    often = {name: sum(default_ontology().names[name].heard in question for question in absent) for name in rare}
    assert sum(often.values()) == len(absent)
    assert min(often.values()) > 0
    assert often["siren"] > 2 * max(count for name, count in often.items() if name != "siren")


def test_all_that_can_be_asked_is_asked(scene: CodeClip, mixed_scene: CodeClip):
    found = Counter(q.type for q in all_questions(scene, np.random.default_rng(0)))
    assert found["presence"] == 4
    assert Counter(q.answer for q in all_questions(scene, np.random.default_rng(0)) if q.type == "presence") == {
        "Yes.": 2,
        "No.": 2,
    }
    assert found["start"] in (1, 2)
    assert all(found[kind] == 1 for kind in ("first", "last", "order", "count", "louder"))
    assert {q.type for q in all_questions(mixed_scene, np.random.default_rng(0))} == {"presence", "count", "start"}


def test_levels_are_told_in_words(scene: CodeClip):
    levels = {"very quiet": (-50.0, -36.1), "quiet": (-35.9, -30.1), "loud": (-29.9, -24.1), "very loud": (-23.9, -3.0)}
    for word, ends in levels.items():
        for level_db in ends:
            clip = replace(scene, events=tuple(replace(event, level_db=level_db) for event in scene.events))
            dog, rain = level_questions(clip, np.random.default_rng(0))
            assert (dog.type, dog.short, rain.short) == ("level", word, word)
            assert "a dog barking" in dog.question.lower()
            assert "rain falling" in rain.question.lower()
            assert dog.answer in dog.choices
            assert len(set(dog.choices)) == len(levels)


def test_levels_are_asked_after_which_is_louder(scene: CodeClip):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        asked = [q.type for q in untold([*all_questions(scene, rng), *level_questions(scene, rng)], rng)]
        assert asked[-2:] == ["level", "level"]
        assert asked.count("louder") == 1


def test_others_come_from_the_pool_first():
    rng, rain = np.random.default_rng(0), default_ontology().names["rain"]
    pool = [default_ontology().names[name] for name in ("siren", "cow", "siren", "rain")]
    few = others([rain], 2, rng, default_ontology(), pool)
    assert set(few) == {default_ontology().names["siren"], default_ontology().names["cow"]}
    assert set(few) < set(others([rain], 5, rng, default_ontology(), pool))
    assert len(set(others([rain], 5, rng, default_ontology(), pool))) == 5


def test_heard_in_counts_a_sound_once_a_scene(scene: CodeClip, plain_clips: list[CodeClip]):
    assert [name.name for name in heard_in([scene, *plain_clips, scene])] == ["dog", "rain"] * 2


def test_others_are_not_easily_confused():
    rain = default_ontology().names["rain"]
    absent = others([rain], 50, np.random.default_rng(0), default_ontology())
    assert len(set(absent)) == 50
    assert all(name.group != rain.group for name in absent)
