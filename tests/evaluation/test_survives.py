from pathlib import Path

import pytest
import torch

from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.survives import survival

CONFIG = ClassifierConfig(channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": ("dog", "rain"), "kind": ("sfx",)})


@pytest.fixture(scope="module")
def classifier() -> EventClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EventClassifier(CONFIG).eval()
        model.features[0].weight.data *= 100.0  # untrained, it would hardly tell one sound from another
        return model


def test_survival_of_the_originals_themselves_and_of_others(classifier: EventClassifier):
    generator = torch.Generator().manual_seed(0)
    mels = [torch.randn(100, 94, generator=generator).half() for _ in range(8)]
    best = classifier.judge([mel.float() for mel in mels[:4]]).scores["esc50"].argmax(1)
    clips = [Clip(str(i), Path(), 0, 0, "esc50", kind="sfx", label=CONFIG.tasks["esc50"][best[i]]) for i in range(4)]
    clips += [Clip(str(i), Path(), 0, 0, "game", kind="sfx" if i else "unheard of") for i in range(4)]

    same = survival(classifier, clips, mels, mels, least=4)
    assert same["esc50"].accuracy == same["esc50"].balanced_accuracy == 1.0
    assert same["esc50"].agreement == same["game"].agreement == 1.0
    assert same["esc50"].frechet_distance < 1e-6
    assert same["game"].task == "kind"
    assert same["game"].clips == 3

    louder = survival(classifier, clips, mels, [mel + 3.0 for mel in mels], least=4)
    assert louder["esc50"].frechet_distance > 1e-3
    other = survival(classifier, clips, mels, mels[4:] + mels[:4], least=4)
    heard = classifier.judge([mel.float() for mel in mels]).scores["esc50"].argmax(1)
    assert other["esc50"].agreement == (heard[:4] == heard[4:]).double().mean()
    assert survival(classifier, clips, mels, mels, least=5) == {}
