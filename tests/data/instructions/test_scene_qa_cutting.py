"""A sound that was cut out of a scene is all that is left of it, and what is known of it stays exact."""

from dataclasses import replace

import numpy as np
import pytest

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import all_questions, alone, described, parts

RATE = 24_000 / 1024


@pytest.fixture
def numbered(scene: CodeClip) -> CodeClip:
    """A scene whose codes tell their places."""
    return replace(scene, codes=tuple(range(int(np.ceil(scene.seconds * RATE)))))


def test_one_sound_is_left_with_all_of_its_events(numbered: CodeClip):
    whole = {part.name.name: part for part in parts(numbered.events, numbered.ontology)}
    seen = set()
    for seed in range(60):
        cut = alone(numbered, np.random.default_rng(seed), RATE)
        (part,) = parts(cut.events, cut.ontology)
        original = whole[part.name.name]
        shift = cut.codes[0] / RATE
        assert (part.times, part.level_db) == (original.times, original.level_db)
        assert part.start + shift == pytest.approx(original.start)
        assert part.end + shift == pytest.approx(original.end)
        assert cut.codes == numbered.codes[cut.codes[0] : cut.codes[-1] + 1]
        assert part.start >= 0.0
        assert (cut.codes[-1] + 1) / RATE >= min(original.end, len(numbered.codes) / RATE)
        assert cut.seconds == pytest.approx(len(cut.codes) / RATE, abs=1 / RATE)
        others = [event for event in numbered.events if event.label != cut.events[0].label]
        for event in others:  # nothing of another sound but what shares a code with the edge
            heard = min(event.end, shift + cut.seconds) - max(event.start, shift)
            assert heard <= 1 / RATE
        seen.add(described([part]))
    assert seen == {"a dog barks twice", "rain falls"}


def test_sounds_that_are_heard_together_stay_together(mixed_scene: CodeClip, plain_clips: list[CodeClip]):
    for clip in (mixed_scene, plain_clips[0]):
        assert alone(clip, np.random.default_rng(0), RATE) == clip


def test_what_sounds_alone_is_asked_about_but_not_compared(numbered: CodeClip):
    found = [
        question
        for seed in range(20)
        for question in all_questions(alone(numbered, np.random.default_rng(seed), RATE), np.random.default_rng(seed))
    ]
    assert {question.type for question in found} == {"presence", "count"}
    assert {question.short for question in found if question.type == "count"} == {"twice"}
