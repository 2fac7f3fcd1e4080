"""Texts to make sounds from, their three rows, and what is kept of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.audio.level import USUAL_DB
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip, Event, Provenance
from makesomenoise.data.manifest import Clip
from makesomenoise.data.ontology import default_ontology
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.engine.ears import Ear
from makesomenoise.evaluation.cache import ResultCache
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.event_classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.language.generation import (
    CLASSIFIER,
    GENERATED,
    REAL,
    RECONSTRUCTED,
    ClassifierListener,
    EarListener,
    GenerationEvaluator,
    Originals,
    PromptSet,
    Recognition,
    label_prompts,
    scene_prompts,
    score,
)
from makesomenoise.evaluation.splits import Corpus
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

    def render(self, sound, seed, generation):
        self.levels.append((sound.codes, generation.level_db))
        return np.array([*sound.codes, seed])


class FakeListener:
    """Hears a dog in what begins with 1."""

    def hear(self, waveform):
        return {"names": ["dog" if waveform[0] == 1 else "rain"], "features": waveform.tolist()[:2]}


class DeafEar:
    """Hears rain whatever there is."""

    name, identity = "deaf", ["deaf", 1]

    def hear(self, waveform):
        return {"names": ["rain"], "features": waveform.tolist()[-1:]}


class FakeOriginals:
    def __init__(self, missing=()):
        self._missing = missing

    def find(self, clip):
        return None if clip.key in self._missing else torch.tensor(clip.codes)


def test_names_come_with_clips_and_others():
    prompt_set = label_prompts([*DOGS, *RAIN], ["dog", "rain"], sounds=2, seconds=5.0)
    assert [(one.text, one.seconds, one.sounds, one.targets) for one in prompt_set.prompts] == [
        ("dog", 5.0, 2, ("dog",)),
        ("rain", 5.0, 2, ("rain",)),
    ]
    assert prompt_set.prompts[0].clips == tuple(DOGS[:2])
    assert prompt_set.others == (*DOGS[2:4], *RAIN[2:4])


def test_scenes_ask_for_what_sounds_in_them():
    def scene(number, *labels):
        events = tuple(Event(label, n, n + 0.5, -20.0) for n, label in enumerate(labels))
        return CodeClip(f"scenes-0-{number}", tuple(range(72)), 3.0, dataset="scenes", events=events)

    clips = [*DOGS, scene(0, "dog", "dog", "rain"), scene(1, "dog", "owl"), scene(2, "rain", "dog")]
    prompt_set = scene_prompts(clips, {"dog", "rain"}, 1, code_rate=24.0)
    (wanted,) = prompt_set.prompts
    assert (wanted.text, wanted.seconds, wanted.targets) == ("a dog barks twice, then rain falls", 3.0, ("dog", "rain"))
    assert [clip.key for clip in prompt_set.others] == ["scenes-0-2"]  # nobody knows an owl


@pytest.fixture
def prompt_set() -> PromptSet:
    return label_prompts([*DOGS, *RAIN], ["dog", "rain"], sounds=2, seconds=5.0)


def test_the_three_rows(prompt_set, cache):
    model = Model()
    by = GenerationEvaluator(model, FakeOriginals(), cache, "weights", seed=3).evaluate(
        prompt_set, FakeListener(), Sampling(guidance=2.0)
    )
    rows = by[CLASSIFIER]
    assert list(by) == [CLASSIFIER]
    assert list(rows) == [REAL, RECONSTRUCTED, GENERATED]
    coded = {clip.codes for clip in (*DOGS, *RAIN)}
    assert {level for codes, level in model.levels if codes in coded} == {None}
    assert {level for codes, level in model.levels if codes not in coded} == {USUAL_DB}
    assert model.asked == [("dog", 5.0, 3000, 2.0, 2), ("rain", 5.0, 3001, 2.0, 2)]
    assert [rows[name].top1 for name in rows] == [1.0, 1.0, 0.5]
    assert [rows[name].sounds for name in rows] == [4, 4, 4]
    assert all(rows[name].frechet_distance is not None for name in rows)
    assert rows[GENERATED].diversity == 0.0  # the features are those of the first two codes


def test_what_was_made_and_heard_is_kept(prompt_set, cache, monkeypatch: pytest.MonkeyPatch):
    first = GenerationEvaluator(Model(), FakeOriginals(), cache, "weights").evaluate(
        prompt_set, FakeListener(), Sampling()
    )
    model = Model()
    monkeypatch.setattr(FakeListener, "hear", lambda *_: pytest.fail("heard again"))
    assert (
        GenerationEvaluator(model, FakeOriginals(), cache, "weights").evaluate(prompt_set, FakeListener(), Sampling())
        == first
    )
    assert model.asked == []


def test_without_all_real_clips_their_row_is_left_out(prompt_set, cache):
    rows = GenerationEvaluator(Model(), FakeOriginals({"dog-1", "rain-3"}), cache, "weights").evaluate(
        prompt_set, FakeListener(), Sampling()
    )
    assert list(rows[CLASSIFIER]) == [RECONSTRUCTED, GENERATED]


def test_ears_hear_the_same_sounds_and_come_first(prompt_set, cache):
    model = Model()
    alone = GenerationEvaluator(model, FakeOriginals(), cache, "weights").evaluate(
        prompt_set, FakeListener(), Sampling()
    )
    rendered = len(model.levels)
    by = GenerationEvaluator(model, FakeOriginals(), cache, "weights").evaluate(
        prompt_set, FakeListener(), Sampling(), [DeafEar()]
    )
    assert len(model.levels) == 2 * rendered  # both listen to one rendering
    assert list(by) == ["deaf", CLASSIFIER]
    assert by[CLASSIFIER] == alone[CLASSIFIER]
    assert [by["deaf"][name].top1 for name in (REAL, RECONSTRUCTED, GENERATED)] == [0.5, 0.5, 0.5]
    assert by["deaf"][GENERATED].frechet_distance != by[CLASSIFIER][GENERATED].frechet_distance


@pytest.fixture(scope="module")
def classifier() -> EventClassifier:
    config = ClassifierConfig(
        channels=(2, 3, 4, 5),
        feature_size=6,
        tasks={"label": ("dog", "dog bark", "rain", "siren", "wind", "cow", "zz")},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EventClassifier(config).eval()


def test_names_of_one_meaning_are_one(classifier, tone):
    listener = ClassifierListener(classifier, "label", default_ontology())
    assert listener.names == {"dog", "rain", "siren", "wind", "cow", "zz"}
    heard = listener.hear(tone(2.0))
    assert len(heard["names"]) == len(set(heard["names"])) == 5
    assert len(heard["features"]) == 6


def test_what_was_asked_for_is_looked_for_among_the_first():
    names = ("a", "b", "c", "d", "e")
    heard = [
        Recognition(("a",), names, np.array([[0.0, 0.0]])),
        Recognition(("x", "b"), names, np.array([[0.0, 1.0]])),
        Recognition(("b", "c"), names, np.array([[1.0, 0.0]])),
        Recognition(("x",), names, np.array([[1.0, 1.0]])),
    ]
    found = score(heard, heard)
    assert (found.sounds, found.top1, found.any_in_top5, found.all_in_top5) == (4, 0.25, 0.75, 0.5)
    assert found.top1_error == pytest.approx((0.25 * 0.75 / 4) ** 0.5, rel=0.1)
    assert found.frechet_distance == pytest.approx(0.0, abs=1e-9)
    assert found.diversity == pytest.approx((4 + 2 * 2**0.5) / 6)  # one sound of each text: all are compared


def test_diversity_is_within_a_text_where_it_has_several_sounds():
    heard = [
        Recognition((name,), ("a",), np.array([[value]]))
        for name, value in (("a", 0.0), ("a", 2.0), ("b", 50.0), ("b", 50.0))
    ]
    found = score(heard, [])
    assert found.diversity == pytest.approx(1.0)
    assert found.frechet_distance is None
    assert score(heard[:1], heard).diversity is None


def test_windows_of_an_ear_make_the_distance_and_their_means_the_diversity():
    def heard(*windows: float) -> Recognition:
        return Recognition(("a",), ("a",), np.array([[window] for window in windows]))

    found = score([heard(0.0, 4.0), heard(3.0, 5.0)], [heard(1.0, 5.0), heard(4.0), heard(6.0)])
    assert found.diversity == 2.0
    assert found.frechet_distance == pytest.approx(1.0)  # the same spread, one further


def test_an_ear_says_names_and_keeps_every_window(ear: Ear, corpus: Corpus, tmp_path: Path, tone):
    listener = EarListener(EarJudge(ear, corpus.train, ResultCache(tmp_path)), "esc50", 24_000, default_ontology())
    said = json.loads(json.dumps(listener.hear(tone(1.0))))
    heard = Recognition.of(["tone"], said)
    assert (heard.targets, heard.predictions[0], set(heard.predictions)) == (
        ("tone",),
        "tone",
        {"tone", "noise", "clicks"},
    )
    assert heard.features.shape == (7, 4)
    assert (heard.features == ear.listen(tone(1.0).numpy(), 24_000).embeddings).all()


RATE = 24_000


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Noises under the names of sounds, and one under no name that is trusted."""
    folder, clips = tmp_path_factory.mktemp("named"), []
    for number, label in enumerate(("rain", "siren", "chainsaw", "wind", "zz 9")):
        path = folder / f"{number}.wav"
        io.save(path, 0.2 * torch.randn(4 * RATE, generator=torch.Generator().manual_seed(number)))
        dataset = "esc50" if number < 4 else "debian"
        clips.append(Clip(f"k{number}", path, 0, path.stat().st_size, dataset=dataset, label=label))
    return Corpus([], clips)


def scene(corpus: Corpus, number: int) -> tuple[CodeClip, np.ndarray]:
    maker = SceneMaker(ClipStore(corpus.valid[:4], RATE), default_ontology())
    made = maker.make(np.random.default_rng([7, number]))
    how = Provenance("scenes", 7, number)
    return CodeClip(f"scenes-7-{number}", (1, 2), 4.0, events=made.events, provenance=how), made.waveform


def test_a_clip_is_found_by_its_key(named):
    found = Originals(named, RATE, default_ontology()).find(CodeClip("k1", (1, 2), 4.0))
    assert found is not None
    assert torch.equal(found, torch.from_numpy(ClipStore(named.valid, RATE).waveform(1)))
    assert Originals(named, RATE, default_ontology()).find(CodeClip("other", (1, 2), 4.0)) is None


def test_a_scene_is_made_again(named):
    clip, waveform = scene(named, 3)
    found = Originals(named, RATE, default_ontology()).find(clip)
    assert found is not None
    assert np.array_equal(found.numpy(), waveform)


def test_another_scene_is_not_taken_for_it(named):
    clip, _ = scene(named, 3)
    for how in (Provenance("scenes", 7, 4), Provenance("pairs", 7, 3), None):
        other = replace(clip, provenance=how)
        assert Originals(named, RATE, default_ontology()).find(other) is None
    assert Originals(Corpus([], named.valid[:2]), RATE, default_ontology()).find(clip) is None
