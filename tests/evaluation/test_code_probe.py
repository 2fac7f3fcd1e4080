"""A probe reads what the codes tell, and nothing where they tell nothing."""

import math

import numpy as np
import torch

from makesomenoise.evaluation.code_probe import LabelledCodes, Probe, ProbeConfig, probe_codes

BAG = ProbeConfig(name="bag", width=16, epochs=15)
CONVOLUTION = ProbeConfig(name="convolution", width=16, layers=1, epochs=15)


def labelled(clips: int, informative: bool, seed: int) -> LabelledCodes:
    """Sequences over 32 codes; each of four classes prefers eight codes of its own if they are to be informative."""
    rng = np.random.default_rng(seed)
    classes = np.arange(clips) % 4
    codes = []
    for number in classes:
        own = 8 * number + rng.integers(0, 8, 20)
        codes.append(
            torch.from_numpy(np.where(rng.random(20) < (0.6 if informative else 0.0), own, rng.integers(0, 32, 20)))
        )
    return LabelledCodes(codes, torch.from_numpy(classes), [str(i // 4 % 2) for i in range(clips)])


def test_a_probe_reads_codes_that_tell_the_class():
    result = probe_codes(labelled(120, True, 0), labelled(80, True, 1), 32, [BAG, CONVOLUTION], seeds=2)
    assert len(result.accuracies) == 2
    assert result.mean > 0.9
    assert result.inner_accuracies[result.config] == max(result.inner_accuracies.values())


def test_a_probe_finds_nothing_in_codes_that_tell_nothing():
    result = probe_codes(labelled(120, False, 0), labelled(200, False, 1), 32, [BAG], seeds=2)
    assert result.mean < 0.4


def test_the_same_seeds_give_the_same_result():
    data = labelled(40, True, 0), labelled(40, True, 1)
    assert probe_codes(*data, 32, [BAG], seeds=2) == probe_codes(*data, 32, [BAG], seeds=2)


def test_sequences_of_unequal_length_are_named_as_each_alone():
    for config in (BAG, CONVOLUTION):
        probe = Probe(32, 4, config).eval()
        codes = [torch.arange(5), torch.arange(20)]
        torch.testing.assert_close(probe(codes)[:1], probe(codes[:1]))


def test_deviation_is_that_of_the_seeds():
    result = probe_codes(labelled(40, False, 0), labelled(40, False, 1), 32, [BAG], seeds=3)
    assert math.isclose(result.deviation, float(np.std(result.accuracies)))
