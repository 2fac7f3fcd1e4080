"""What is heard is counted, and like is told from unlike."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.ears import Ear
from makesomenoise.evaluation.verdicts import EarListener, Heard, Listener, row


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
    listener = Listener(classifier, "label")
    assert listener.names == {"dog", "rain", "siren", "wind", "cow", "zz"}
    heard = listener.hear(tone(2.0))
    assert len(heard["names"]) == len(set(heard["names"])) == 5
    assert len(heard["features"]) == 6


def test_what_was_asked_for_is_looked_for_among_the_first():
    names = ("a", "b", "c", "d", "e")
    heard = [
        Heard(("a",), names, np.array([[0.0, 0.0]])),
        Heard(("x", "b"), names, np.array([[0.0, 1.0]])),
        Heard(("b", "c"), names, np.array([[1.0, 0.0]])),
        Heard(("x",), names, np.array([[1.0, 1.0]])),
    ]
    found = row(heard, heard)
    assert (found.sounds, found.top1, found.any5, found.all5) == (4, 0.25, 0.75, 0.5)
    assert found.top1_error == pytest.approx((0.25 * 0.75 / 4) ** 0.5, rel=0.1)
    assert found.frechet_distance == pytest.approx(0.0, abs=1e-9)
    assert found.diversity == pytest.approx((4 + 2 * 2**0.5) / 6)  # one sound of each text: all are compared


def test_diversity_is_within_a_text_where_it_has_several_sounds():
    heard = [
        Heard((name,), ("a",), np.array([[value]]))
        for name, value in (("a", 0.0), ("a", 2.0), ("b", 50.0), ("b", 50.0))
    ]
    found = row(heard, [])
    assert found.diversity == pytest.approx(1.0)
    assert found.frechet_distance is None
    assert row(heard[:1], heard).diversity is None


def test_windows_of_an_ear_make_the_distance_and_their_means_the_diversity():
    def heard(*windows: float) -> Heard:
        return Heard(("a",), ("a",), np.array([[window] for window in windows]))

    found = row([heard(0.0, 4.0), heard(3.0, 5.0)], [heard(1.0, 5.0), heard(4.0), heard(6.0)])
    assert found.diversity == 2.0
    assert found.frechet_distance == pytest.approx(1.0)  # the same spread, one further


def test_an_ear_says_names_and_keeps_every_window(ear: Ear, corpus: Corpus, tmp_path: Path, tone):
    listener = EarListener(EarJudge(ear, corpus.train, tmp_path), "esc50", 24_000)
    said = json.loads(json.dumps(listener.hear(tone(1.0))))
    heard = Heard.of(["tone"], said)
    assert (heard.wanted, heard.names[0], set(heard.names)) == (("tone",), "tone", {"tone", "noise", "clicks"})
    assert heard.frames.shape == (7, 4)
    assert (heard.frames == ear.listen(tone(1.0).numpy(), 24_000)).all()
