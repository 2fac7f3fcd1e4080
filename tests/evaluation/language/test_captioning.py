"""Captions are compared with labels, titles and scenes, beside those of a constant and of a deaf model."""

import sys

import pytest

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.evaluation.language.captioning import CaptionError, CaptionScorer, CaptionScores, caption_clips


class Remembering:
    """A scorer that keeps what it is given: the share of captions that are among their references."""

    def __init__(self):
        self.calls = []

    def __call__(self, captions, references):
        self.calls.append((captions, references))
        return CaptionScores(sum(c in r for c, r in zip(captions, references, strict=True)) / len(captions), 0.0, 0.0)


def clip(number: int, label: str, **more) -> CodeClip:
    return CodeClip(f"{label}-{number}", (1, 2, 3), 0.1, **({"dataset": "esc50", "label": label} | more))


CLIPS = [
    clip(0, "dog", title="Big_dog_01.wav"),
    clip(1, "dog", title="1234.wav"),
    clip(2, "rain", captions=("Rain on a tin roof.",)),
    clip(3, "zzz 17", dataset="debian"),
    clip(
        4,
        "",
        dataset="scenes",
        title="a dog barks, then rain falls",
        events=(Event("dog", 0, 1, -9), Event("rain", 1, 2, -9)),
    ),
]
SAID = ["a dog barking", "rain falling", "rain falling", "a dog barks, then rain falls"]


def test_each_kind_of_reference_has_its_clips(language_model, canned):
    scorer = Remembering()
    found = caption_clips(language_model, CLIPS, scorer, canned({"captioning": SAID}))
    assert found.clips == 4  # a label that is not to be trusted is no reference
    assert found.distinct == 3
    assert {kind: one.clips for kind, one in found.by_reference.items()} == {
        "labels": 3,
        "titles": 1,
        "captions by people": 1,
        "scenes": 1,
    }
    assert found.by_reference["labels"].model.cider == pytest.approx(2 / 3)
    assert found.by_reference["scenes"].model.cider == 1.0
    assert found.by_reference["labels"].constant_caption == "A dog barks."
    assert found.examples[0] == ("dog-0", "dog", "a dog barking")
    assert scorer.calls[0][1][0] == ["dog", "a dog barking", "a dog barks"]
    assert ["big dog"] in [references[0] for _, references in scorer.calls]


def test_no_clip_keeps_its_own_caption_in_the_other_order(language_model, canned):
    clips = [clip(number, "dog") for number in range(30)]
    said = [f"caption {number}" for number in range(30)]
    scorer = Remembering()
    caption_clips(language_model, clips, scorer, canned({"captioning": said}))
    shuffled, _ = scorer.calls[2]
    assert sorted(shuffled) == sorted(said)
    assert all(other != own for other, own in zip(shuffled, said, strict=True))


def test_a_model_describes_clips(language_model, cache):
    found = caption_clips(language_model, CLIPS, CaptionScorer(), cache)
    assert 0 <= found.by_reference["labels"].model.rouge_l <= 1
    assert caption_clips(language_model, CLIPS[3:4], CaptionScorer(), cache) is None


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
