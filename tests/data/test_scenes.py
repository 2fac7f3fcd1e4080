"""What a scene says of itself is what is in its samples."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data.bursts import decibels
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.instructions.scene_qa import overlapping, parts
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.ontology import default_ontology
from makesomenoise.data.scenes import LONGEST_SECONDS, Scene, SceneError, SceneMaker

RATE = 24_000


@pytest.fixture
def scenes(named_store: ClipStore) -> list[Scene]:
    maker = SceneMaker(named_store, default_ontology())
    return [maker.make(np.random.default_rng([0, number])) for number in range(60)]


def test_scenes_have_two_or_three_sounds_and_an_end(scenes: list[Scene]):
    for scene in scenes:
        assert scene.waveform.dtype == np.float32
        assert np.abs(scene.waveform).max() <= 1.0
        assert len(scene.waveform) <= LONGEST_SECONDS * RATE
        assert 2 <= len({event.label for event in scene.events}) <= 3
        assert len(scene.sources) == len({event.label for event in scene.events})
        assert all(0 <= e.start < e.end <= len(scene.waveform) / RATE + 1e-3 for e in scene.events)
    assert {len(scene.sources) for scene in scenes} == {2, 3}


def test_both_kinds_and_every_count_come(scenes: list[Scene]):
    found = [parts(scene.events, default_ontology()) for scene in scenes]
    assert {overlapping(scene) for scene in found} == {True, False}
    assert {part.times for scene in found for part in scene} == {1, 2, 3}
    assert all(part.times == 1 for scene in found for part in scene if not part.name.counted)


def test_levels_and_times_are_those_of_the_samples(scenes: list[Scene]):
    checked = 0
    for scene in scenes:
        if not overlapping(parts(scene.events, default_ontology())):
            for event in scene.events:
                heard = scene.waveform[round(event.start * RATE) : round(event.end * RATE)]
                assert decibels(heard) == pytest.approx(event.level_db, abs=0.5)
                checked += 1
            for before, after in pairwise(scene.events):
                assert decibels(scene.waveform[round(before.end * RATE) + 9 : round(after.start * RATE) - 9]) < -60.0
    assert checked > 50


def test_of_a_pair_one_sound_is_clearly_louder(named_store: ClipStore):
    maker = SceneMaker(named_store, default_ontology())
    pairs = [maker.pair(np.random.default_rng([0, number])) for number in range(40)]
    louder_first = []
    for pair in pairs:
        before, after = parts(pair.events, default_ontology())
        assert before.end < after.start
        assert 4.5 - 0.1 <= abs(before.level_db - after.level_db) <= 18.1
        assert max(before.times, after.times) <= 2
        louder_first.append(before.level_db > after.level_db)
    assert 8 < sum(louder_first) < 32
    again = maker.pair(np.random.default_rng([0, 3]))
    assert np.array_equal(again.waveform, pairs[3].waveform)


def test_bursts_are_one_short_sound_and_silence_up_to_the_length(named_store: ClipStore):
    maker = SceneMaker(named_store, default_ontology())
    made = [maker.of_kind("bursts", np.random.default_rng([0, number])) for number in range(30)]
    for scene in made:
        (part,) = parts(scene.events, default_ontology())
        seconds = len(scene.waveform) / RATE
        assert part.name.counted
        assert part.end <= seconds <= 4.0
        assert (2.0 * seconds).is_integer()
        assert decibels(scene.waveform[round((part.end + 0.05) * RATE) :]) < -60.0
    assert {parts(scene.events, default_ontology())[0].times for scene in made} == {1, 2, 3}
    assert len({len(scene.waveform) for scene in made}) > 3
    assert np.array_equal(maker.bursts(np.random.default_rng([0, 3])).waveform, made[3].waveform)


def test_sounds_that_are_easily_confused_do_not_share_a_scene(scenes: list[Scene]):
    for scene in scenes:
        groups = [part.name.group for part in parts(scene.events, default_ontology())]
        assert len(set(groups)) == len(groups)


def test_a_scene_depends_on_its_seed_alone(named_store: ClipStore):
    first, again, other = (
        SceneMaker(named_store, default_ontology()).make(np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.waveform, again.waveform)
    assert first.events == again.events
    assert not np.array_equal(first.waveform, other.waveform)


def test_too_few_sounds_and_silent_ones_are_refused(named_store: ClipStore, tmp_path: Path):
    with pytest.raises(SceneError, match="at least three different sounds"):
        SceneMaker(ClipStore(named_store.clips[:2], RATE), default_ontology())
    for label in ("dog", "rain", "siren"):
        (tmp_path / "silent" / label).mkdir(parents=True)
        io.save(tmp_path / "silent" / label / "a.wav", torch.zeros(RATE))
    silent = SceneMaker(ClipStore(read_clips([tmp_path / "silent"]), RATE), default_ontology())
    with pytest.raises(SceneError, match="No scene could be made"):
        silent.make(np.random.default_rng(0))
    with pytest.raises(SceneError, match="No scene could be made"):
        silent.pair(np.random.default_rng(0))


def test_only_trusted_labels_are_used(named_store: ClipStore, scenes: list[Scene]):
    used = {event.label for scene in scenes for event in scene.events}
    assert used <= {
        name.name for clip in named_store.clips if (name := default_ontology().find(clip.label, clip.trust))
    }
