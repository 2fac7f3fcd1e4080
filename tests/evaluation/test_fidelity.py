import math

import torch

from makesomenoise.audio.mel import MelConfig
from makesomenoise.data.clips import ClipStore
from makesomenoise.evaluation.corpus import Corpus, by_dataset
from makesomenoise.evaluation.fidelity import fidelity
from makesomenoise.evaluation.rendering import originals, render
from makesomenoise.evaluation.systems import Coded
from makesomenoise.nn.log_mel import LogMel


class Halving:
    """A made-up codec: half the amplitude for ten bits, with codes that count up."""

    name = "halving"
    codebook_size = 4

    def code(self, waveform: torch.Tensor) -> Coded:
        return Coded(waveform / 2, bits=10, codes=torch.arange(4))


class Nothing:
    name = "nothing"
    codebook_size = None

    def code(self, waveform: torch.Tensor) -> Coded:
        return Coded(waveform)


def test_figures_of_a_codec_that_halves_the_amplitude(corpus: Corpus):
    store, mel = ClipStore(corpus.valid, 24_000), LogMel(MelConfig())
    found = fidelity(originals(store, mel), render(Halving(), store, mel), 24_000, [2, 3])
    assert found.clips == 2
    assert found.seconds == 2.0
    assert found.bits_per_second == 10.0
    assert math.isclose(found.perplexity or 0, 4.0)
    assert found.codebook_usage == 1.0
    assert math.isclose(found.log_mel_distance, math.log(2.0), rel_tol=1e-2)
    assert math.isclose(found.stft_distance, 0.5 + math.log(2.0), rel_tol=1e-2)


def test_what_changes_nothing_has_no_distance_and_no_rate(corpus: Corpus):
    store, mel = ClipStore(corpus.valid, 24_000), LogMel(MelConfig())
    found = fidelity(originals(store, mel), render(Nothing(), store, mel), 24_000, range(len(store)))
    assert found.log_mel_distance == found.stft_distance == 0.0
    assert found.bits_per_second is found.perplexity is found.codebook_usage is None


def test_small_datasets_are_left_out(corpus: Corpus):
    assert by_dataset(corpus.valid, 6) == {"esc50": [0, 1, 2, 3, 4, 5]}
    assert by_dataset(corpus.valid, 7) == {}
