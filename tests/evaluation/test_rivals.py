"""Those beside the model name the same clips, and say why where they cannot."""

import pytest
import torch

from makesomenoise.data.codes import CodeClip
from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.rivals import Rivals

LABELS = ["clicks", "noise", "tone"]


class Coder:
    """Codes that tell the loudest of sounds from the others."""

    sample_rate, codebook_size = 24_000, 4
    network = torch.nn.Linear(1, 1)

    def encode(self, waveform):
        return torch.full((1, 12), int(4 * waveform.abs().mean().clamp_max(0.9)))


@pytest.fixture
def rivals(corpus: Corpus, parts) -> Rivals:
    config = ClassifierConfig(channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": tuple(LABELS)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = EventClassifier(config).eval()
    return Rivals(Coder(), classifier, corpus, parts)


def clips(corpus: Corpus, dataset: str = "esc50") -> list[CodeClip]:
    return [CodeClip(c.key, (1,) * 12, 1.0, dataset=dataset, fold="4", label=c.label) for c in corpus.valid]


def test_the_classifier_listens_to_the_originals(rivals, corpus):
    found = rivals.classifier(clips(corpus))
    assert found["clips"] == 6
    assert found["top5"] == 1.0
    assert found["accuracy"] in {0.0, 1 / 6, 1 / 3, 1 / 2}  # a third of the clips are of each class
    assert rivals.classifier([*clips(corpus)[:1], CodeClip("gone", (1,), 1.0, dataset="esc50")])["clips"] == 1


def test_a_probe_is_trained_on_the_codes_of_the_training_clips(rivals, corpus):
    found = rivals.probe(clips(corpus), LABELS)
    assert found["clips"] == 6
    assert found["mean"] == pytest.approx(1 / 3)  # all codes are alike


def test_what_cannot_be_done_is_said(rivals, corpus):
    assert "does not know" in rivals.classifier(clips(corpus, "urbansound8k"))["skipped"]
    assert "two folds of urbansound8k" in rivals.probe(clips(corpus, "urbansound8k"), LABELS)["skipped"]
    assert "none of these" in rivals.classifier([CodeClip("gone", (1,), 1.0, dataset="esc50")])["skipped"]
