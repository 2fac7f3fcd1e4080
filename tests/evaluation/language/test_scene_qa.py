"""Answers about scenes are counted by type, beside those that need no ears."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.data.instructions.scene_qa import TYPES, heard_in, scene_questions
from makesomenoise.evaluation.language.scene_qa import answer_questions, draw_questions, measure_decoded, seconds_said
from makesomenoise.language.prompts import Sound


def scene(number: int) -> CodeClip:
    events = (Event("dog", 0.4, 0.8, -20.0), Event("dog", 1.0, 1.4, -20.0), Event("rain", 2.2, 4.0, -30.0))
    return CodeClip(f"scenes-0-{number}", tuple(range(16)), 4.0, dataset="scenes", events=events)


SCENES = [scene(number) for number in range(8)]
ASKED = [
    scene_questions(one, np.random.default_rng([0, number]), heard_in(SCENES)) for number, one in enumerate(SCENES)
]
ITEMS = draw_questions([CodeClip("a", (1,), 0.1), *SCENES])


def right(question) -> list[float]:
    return [0.0 if choice == question.answer else -9.0 for choice in question.choices]


def wrong(question) -> list[float]:
    return [-score for score in right(question)]


def test_who_hears_and_who_does_not_are_told_apart(language_model, canned):
    scores = [[[right(question), wrong(question)] for question in asks] for asks in ASKED]
    said = [[question.short.upper() for question in asks] for asks in ASKED]
    found = answer_questions(
        language_model, ITEMS, canned({"scene question scores": scores, "scene questions in own words": said})
    )
    assert list(found) == list(TYPES)
    assert sum(one.questions for one in found.values()) == sum(map(len, ASKED))
    for kind, one in found.items():
        assert (one.accuracy, one.accuracy_less_prior, one.accuracy_without_sound, one.free_text_accuracy) == (
            1.0,
            1.0,
            0.0,
            1.0,
        )
        assert (one.near_accuracy is None) == (kind != "start")
    assert found["first"].chance == pytest.approx(1 / 4)
    assert found["first"].majority == 1.0  # it is a dog every time
    assert found["start"].near_accuracy == 1.0
    assert 0.5 <= found["presence"].majority < 1.0


def test_a_moment_may_be_half_a_second_off(language_model, canned):
    scores = [[[right(question), right(question)] for question in asks] for asks in ASKED]
    said = [["After 2 seconds." if q.type == "start" else "" for q in asks] for asks in ASKED]
    found = answer_questions(
        language_model, ITEMS, canned({"scene question scores": scores, "scene questions in own words": said})
    )
    asked = [q for asks in ASKED for q in asks if q.type == "start"]
    assert 0.0 < found["start"].near_accuracy < 1.0
    assert found["start"].near_accuracy == sum("rain" in q.question for q in asked) / len(
        asked
    )  # at 2.2 s; the dog at 0.4


def test_a_model_is_asked_with_and_without_the_sound(language_model, cache):
    found = answer_questions(language_model, ITEMS[:2], cache)
    assert all(0.0 <= one.accuracy <= 1.0 for one in found.values())
    assert answer_questions(language_model, [], cache) == {}


def test_scenes_are_asked_and_other_clips_are_not():
    assert list(zip(SCENES, ASKED, strict=True)) == ITEMS


def test_moments_are_read_out_of_answers():
    said = ("Right away.", "It starts after 2.5 seconds.", "After three seconds", "at the end", "after 12 s")
    assert [seconds_said(text) for text in said] == [0.0, 2.5, 3.0, None, 12.0]


RATE = 8000
EVENTS = (Event("dog", 0.5, 0.7, -12.0), Event("dog", 1.2, 1.4, -12.0), Event("rain", 2.0, 3.5, -30.0))


def burst_scene(number: int) -> CodeClip:
    return CodeClip(f"scenes-0-{number}", (number,) * 16, 4.0, dataset="scenes", events=EVENTS)


@dataclass
class Speaker:
    """Renders any codes as one waveform."""

    waveform: np.ndarray
    tokenizer: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(sample_rate=RATE))
    decoded: int = 0

    def render(self, sound: Sound) -> np.ndarray:
        assert len(sound.codes) == 16
        self.decoded += 1
        return self.waveform


def sounding(*spans: tuple[float, float, float]) -> np.ndarray:
    waveform = np.full(4 * RATE, 1e-4, np.float32)
    for start, end, level in spans:
        count = round((end - start) * RATE)
        waveform[round(start * RATE) :][:count] = level * np.sin(np.arange(count))
    return waveform


def test_a_faithful_tokenizer_lets_all_be_told(cache):
    faithful = Speaker(sounding((0.5, 0.7, 0.3), (1.2, 1.4, 0.3), (2.0, 3.5, 0.03)))
    assert measure_decoded(draw_questions([burst_scene(0)]), faithful, cache) == {"louder": 1.0, "count": 1.0}


def test_lost_bursts_and_levels_are_lost(cache):
    merged = Speaker(sounding((0.5, 1.4, 0.03), (2.0, 3.5, 0.3)))
    assert measure_decoded(draw_questions([burst_scene(0)]), merged, cache) == {"louder": 0.0, "count": 0.0}


def test_what_was_measured_is_kept(cache):
    speaker = Speaker(sounding((0.5, 0.7, 0.3)))
    asked = draw_questions([burst_scene(0), burst_scene(1)])
    first = measure_decoded(asked, speaker, cache)
    assert speaker.decoded == 2
    assert measure_decoded(asked, speaker, cache) == first
    assert speaker.decoded == 2
    measure_decoded(asked, speaker, cache, decoder="another vocoder")
    assert speaker.decoded == 4


def test_scenes_that_are_asked_nothing_of_it_are_not_decoded(cache):
    speaker = Speaker(sounding())
    events = (Event("rain", 0.0, 1.5, -20.0), Event("wind", 2.0, 3.5, -20.0))
    quiet = CodeClip("scenes-0-9", (1,) * 16, 4.0, dataset="scenes", events=events)
    assert measure_decoded(draw_questions([quiet]), speaker, cache) == {}
    assert speaker.decoded == 0
