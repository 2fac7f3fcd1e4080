"""Distances, rates and what survives, of systems whose figures are known."""

import math
from pathlib import Path

import pytest
import torch

from makesomenoise.audio.mel import MelConfig
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.event_classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.splits import Corpus, by_dataset
from makesomenoise.evaluation.tokenizer.codecs import CodecOutput
from makesomenoise.evaluation.tokenizer.reconstruction import (
    classifier_figures,
    measure_fidelity,
    original_mels,
    reconstruct_clips,
)
from makesomenoise.nn.log_mel import LogMel


class Halving:
    """A made-up codec: half the amplitude for ten bits, with codes that count up."""

    name = "halving"
    codebook_size = 4

    def reconstruct(self, waveform: torch.Tensor) -> CodecOutput:
        return CodecOutput(waveform / 2, bits=10, codes=torch.arange(4))


class Nothing:
    name = "nothing"
    codebook_size = None

    def reconstruct(self, waveform: torch.Tensor) -> CodecOutput:
        return CodecOutput(waveform)


def test_figures_of_a_codec_that_halves_the_amplitude(corpus: Corpus):
    store, mel = ClipStore(corpus.valid, 24_000), LogMel(MelConfig())
    found = measure_fidelity(original_mels(store, mel), reconstruct_clips(Halving(), store, mel), 24_000, [2, 3])
    assert found.clips == 2
    assert found.seconds == 2.0
    assert found.bits_per_second == 10.0
    assert math.isclose(found.perplexity or 0, 4.0)
    assert found.codebook_usage == 1.0
    assert math.isclose(found.log_mel_distance, math.log(2.0), rel_tol=1e-2)
    assert math.isclose(found.stft_distance, 0.5 + math.log(2.0), rel_tol=1e-2)


def test_what_changes_nothing_has_no_distance_and_no_rate(corpus: Corpus):
    store, mel = ClipStore(corpus.valid, 24_000), LogMel(MelConfig())
    found = measure_fidelity(
        original_mels(store, mel), reconstruct_clips(Nothing(), store, mel), 24_000, range(len(store))
    )
    assert found.log_mel_distance == found.stft_distance == 0.0
    assert found.bits_per_second is found.perplexity is found.codebook_usage is None


def test_small_datasets_are_left_out(corpus: Corpus):
    assert by_dataset(corpus.valid, 6) == {"esc50": [0, 1, 2, 3, 4, 5]}
    assert by_dataset(corpus.valid, 7) == {}


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
    best = classifier.classify([mel.float() for mel in mels[:4]]).scores["esc50"].argmax(1)
    labels = [CONFIG.tasks["esc50"][best[i]] for i in range(4)]
    clips = [Clip(str(i), Path(), 0, 0, dataset="esc50", kind="sfx", label=labels[i]) for i in range(4)]
    clips += [Clip(str(i), Path(), 0, 0, dataset="game", kind="sfx" if i else "unheard of") for i in range(4)]

    same = classifier_figures(classifier, clips, mels, mels, min_clips=4)
    assert same["esc50"].accuracy == same["esc50"].balanced_accuracy == 1.0
    assert same["esc50"].agreement == same["game"].agreement == 1.0
    assert same["esc50"].frechet_distance < 1e-6
    assert same["game"].task == "kind"
    assert same["game"].clips == 3

    louder = classifier_figures(classifier, clips, mels, [mel + 3.0 for mel in mels], min_clips=4)
    assert louder["esc50"].frechet_distance > 1e-3
    other = classifier_figures(classifier, clips, mels, mels[4:] + mels[:4], min_clips=4)
    heard = classifier.classify([mel.float() for mel in mels]).scores["esc50"].argmax(1)
    assert other["esc50"].agreement == (heard[:4] == heard[4:]).double().mean()
    assert classifier_figures(classifier, clips, mels, mels, min_clips=5) == {}
