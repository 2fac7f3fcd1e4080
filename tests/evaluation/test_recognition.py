"""Names are ranked by what they score, less what they score without a sound."""

import pytest
import torch

from makesomenoise.data.codes import CodeClip
from makesomenoise.evaluation.parts import Parts
from makesomenoise.evaluation.recognition import name_clips
from makesomenoise.language.naming import Namer
from makesomenoise.language.prompts import Sound

NAMES = ["cow", "dog", "rain"]


def clip(number: int, label: str) -> CodeClip:
    return CodeClip(f"c{number}", tuple(range(number, number + 9)), 0.4, dataset="esc50", fold="4", label=label)


# With no sound and of three clips.
SCORES = [[-1.0, -8.0, -1.0], [-2.0, -4.0, -9.0], [-3.0, -9.5, -9.0], [-5.0, -9.0, -5.2]]
SAID = ["Dog.", "a cow", "rain"]


def test_the_prior_and_the_length_of_a_name_decide(language_model, canned):
    clips = [clip(0, "dog"), clip(1, "cow"), clip(2, "rain")]
    parts = canned({"naming esc50": SCORES, "naming freely esc50": SAID})
    found = name_clips(language_model, clips, NAMES, parts)
    # As scored all are cows; less half of the prior a dog, a cow and a cow; less all of it they are dogs.
    assert found.accuracies["sum"] == {
        "0": pytest.approx(1 / 3),
        "0.5": pytest.approx(2 / 3),
        "1": pytest.approx(1 / 3),
    }
    assert found.named.accuracy == found.accuracies["sum"]["0.5"]
    assert found.confusion == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert found.named.top5 == 1.0
    assert found.named.macro == pytest.approx(2 / 3)
    assert found.free == pytest.approx(2 / 3)  # "a cow" is not the name
    assert (found.clips, found.folds) == (3, ("4",))
    # With the end of the turn "rain" has five tokens, the others four: the mean does not punish it for that.
    assert found.accuracies["mean"]["0"] == pytest.approx(2 / 3)


def test_the_usual_ranking_is_that_of_classify(language_model, parts: Parts):
    clips = [clip(number, "dog") for number in range(6)]
    found = name_clips(language_model, clips, NAMES, parts)
    ranked = [Namer(language_model, NAMES).rank(Sound(one.codes)) for one in clips]
    counts = torch.zeros(3, dtype=torch.int64)
    for first, *_ in ranked:
        counts[NAMES.index(first.label)] += 1
    assert found.confusion[1] == counts.tolist()
