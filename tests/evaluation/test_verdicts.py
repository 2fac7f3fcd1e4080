"""What is heard is counted, and like is told from unlike."""

import pytest
import torch

from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.verdicts import Heard, Listener, row


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
        Heard(("a",), names, (0.0, 0.0)),
        Heard(("x", "b"), names, (0.0, 1.0)),
        Heard(("b", "c"), names, (1.0, 0.0)),
        Heard(("x",), names, (1.0, 1.0)),
    ]
    found = row(heard, [one.features for one in heard])
    assert (found.sounds, found.top1, found.any5, found.all5) == (4, 0.25, 0.75, 0.5)
    assert found.frechet_distance == pytest.approx(0.0, abs=1e-9)
    assert found.diversity == pytest.approx((4 + 2 * 2**0.5) / 6)  # one sound of each text: all are compared


def test_diversity_is_within_a_text_where_it_has_several_sounds():
    heard = [Heard((name,), ("a",), (value,)) for name, value in (("a", 0.0), ("a", 2.0), ("b", 50.0), ("b", 50.0))]
    found = row(heard, [])
    assert found.diversity == pytest.approx(1.0)
    assert found.frechet_distance is None
    assert row(heard[:1], [(0.0,)]).diversity is None
