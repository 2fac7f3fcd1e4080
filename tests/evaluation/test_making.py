"""Texts to make sounds from, their three rows, and what is kept of them."""

import pytest
import torch

from makesomenoise.audio.level import USUAL_DB
from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.evaluation.making import (
    CLASSIFIER,
    MADE,
    REAL,
    ROUND_TRIP,
    Maker,
    Task,
    names_task,
    scenes_task,
)
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import Sampling

DOGS = [CodeClip(f"dog-{n}", (1, n), 0.1, dataset="esc50", label="dog") for n in range(5)]
RAIN = [CodeClip(f"rain-{n}", (2, n), 0.1, dataset="esc50", label="rain") for n in range(5)]


class Model:
    """Makes sounds whose first code is 1, and waveforms that hold the codes."""

    def __init__(self):
        self.asked, self.levels = [], []

    def compose(self, text, seconds, seed, sampling, candidates):
        self.asked.append((text, seconds, seed, sampling.guidance, candidates))
        return [Sound((1, seed, number)) for number in range(candidates)]

    def render(self, sound, seed, level_db):
        self.levels.append((sound.codes, level_db))
        return torch.tensor([*sound.codes, seed])


class Listener:
    """Hears a dog in what begins with 1."""

    def hear(self, waveform):
        return {"names": ["dog" if waveform[0] == 1 else "rain"], "features": waveform.tolist()[:2]}


class Ear:
    """Hears rain whatever there is."""

    name, identity = "deaf", ["deaf", 1]

    def hear(self, waveform):
        return {"names": ["rain"], "features": waveform.tolist()[-1:]}


class Originals:
    def __init__(self, missing=()):
        self._missing = missing

    def find(self, clip):
        return None if clip.key in self._missing else torch.tensor(clip.codes)


def test_names_come_with_clips_and_others():
    task = names_task([*DOGS, *RAIN], ["dog", "rain"], sounds=2, seconds=5.0)
    assert [(one.text, one.seconds, one.sounds, one.names) for one in task.wanted] == [
        ("dog", 5.0, 2, ("dog",)),
        ("rain", 5.0, 2, ("rain",)),
    ]
    assert task.wanted[0].clips == tuple(DOGS[:2])
    assert task.others == (*DOGS[2:4], *RAIN[2:4])


def test_scenes_ask_for_what_sounds_in_them():
    def scene(number, *labels):
        events = tuple(Event(label, n, n + 0.5, -20.0) for n, label in enumerate(labels))
        return CodeClip(f"scenes-0-{number}", tuple(range(72)), 3.0, dataset="scenes", events=events)

    clips = [*DOGS, scene(0, "dog", "dog", "rain"), scene(1, "dog", "owl"), scene(2, "rain", "dog")]
    task = scenes_task(clips, {"dog", "rain"}, 1, code_rate=24.0)
    (wanted,) = task.wanted
    assert (wanted.text, wanted.seconds, wanted.names) == ("a dog barks twice, then rain falls", 3.0, ("dog", "rain"))
    assert [clip.key for clip in task.others] == ["scenes-0-2"]  # nobody knows an owl


@pytest.fixture
def task() -> Task:
    return names_task([*DOGS, *RAIN], ["dog", "rain"], sounds=2, seconds=5.0)


def test_the_three_rows(task, parts):
    model = Model()
    by = Maker(model, Originals(), parts, "weights", seed=3).rows(task, Listener(), Sampling(guidance=2.0))
    rows = by[CLASSIFIER]
    assert list(by) == [CLASSIFIER]
    assert list(rows) == [REAL, ROUND_TRIP, MADE]
    coded = {clip.codes for clip in (*DOGS, *RAIN)}
    assert {level for codes, level in model.levels if codes in coded} == {None}
    assert {level for codes, level in model.levels if codes not in coded} == {USUAL_DB}
    assert model.asked == [("dog", 5.0, 3000, 2.0, 2), ("rain", 5.0, 3001, 2.0, 2)]
    assert [rows[name].top1 for name in rows] == [1.0, 1.0, 0.5]
    assert [rows[name].sounds for name in rows] == [4, 4, 4]
    assert all(rows[name].frechet_distance is not None for name in rows)
    assert rows[MADE].diversity == 0.0  # the features are those of the first two codes


def test_what_was_made_and_heard_is_kept(task, parts, monkeypatch: pytest.MonkeyPatch):
    first = Maker(Model(), Originals(), parts, "weights").rows(task, Listener(), Sampling())
    model = Model()
    monkeypatch.setattr(Listener, "hear", lambda *_: pytest.fail("heard again"))
    assert Maker(model, Originals(), parts, "weights").rows(task, Listener(), Sampling()) == first
    assert model.asked == []


def test_without_all_real_clips_their_row_is_left_out(task, parts):
    rows = Maker(Model(), Originals({"dog-1", "rain-3"}), parts, "weights").rows(task, Listener(), Sampling())
    assert list(rows[CLASSIFIER]) == [ROUND_TRIP, MADE]


def test_ears_hear_the_same_sounds_and_come_first(task, parts):
    model = Model()
    alone = Maker(model, Originals(), parts, "weights").rows(task, Listener(), Sampling())
    rendered = len(model.levels)
    by = Maker(model, Originals(), parts, "weights").rows(task, Listener(), Sampling(), [Ear()])
    assert len(model.levels) == 2 * rendered  # both listen to one rendering
    assert list(by) == ["deaf", CLASSIFIER]
    assert by[CLASSIFIER] == alone[CLASSIFIER]
    assert [by["deaf"][name].top1 for name in (REAL, ROUND_TRIP, MADE)] == [0.5, 0.5, 0.5]
    assert by["deaf"][MADE].frechet_distance != by[CLASSIFIER][MADE].frechet_distance
