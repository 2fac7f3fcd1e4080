"""Captions closer to their references score higher, and a missing package is said in one sentence."""

import sys

import pytest

from makesomenoise.evaluation.caption_scores import CaptionError, CaptionScorer

REFERENCES = [
    ["a dog barks in the yard", "dog"],
    ["rain falls on the roof of a car", "rain"],
    ["someone laughs at a joke", "laughing"],
]


@pytest.fixture(scope="module")
def scorer() -> CaptionScorer:
    return CaptionScorer()


def test_what_is_said_of_a_sound_beats_what_is_said_of_another(scorer):
    said = ["A dog barks in the yard.", "Rain falls on the roof of a car!", "Someone laughs."]
    right, wrong = scorer(said, REFERENCES), scorer([*said[1:], said[0]], REFERENCES)
    assert right.cider > 10 * wrong.cider
    assert right.rouge_l > 2 * wrong.rouge_l
    assert right.similarity > 2 * wrong.similarity


def test_case_and_punctuation_are_not_counted(scorer):
    scores = scorer(["RAIN falls, on the roof of a car"], REFERENCES[1:2])
    assert scores.rouge_l == pytest.approx(1.0)


def test_the_closest_reference_counts(scorer):
    alone = scorer(["a dog"], [["dog"]]).similarity
    assert scorer(["a dog"], [["the stock market", "dog"]]).similarity == pytest.approx(alone)


def test_nothing_to_compare_is_refused(scorer):
    for captions, references in (([], []), (["a dog"], []), (["a dog"], [[]])):
        with pytest.raises(CaptionError, match="at least one"):
            scorer(captions, references)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pycocoevalcap.cider.cider", None)
    with pytest.raises(CaptionError, match=r"pip install 'makesomenoise\[evaluate\]'"):
        CaptionScorer()
