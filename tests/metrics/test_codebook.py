import math

import pytest
import torch

from makesomenoise.metrics.codebook import perplexity, usage


def test_uniform_codes_have_the_perplexity_of_the_codebook():
    assert math.isclose(perplexity(torch.arange(1024).repeat(3), 1024), 1024.0, rel_tol=1e-9)
    assert usage(torch.arange(1024), 1024) == 1.0


def test_a_single_code_has_perplexity_one():
    assert perplexity(torch.full((7, 9), 5), 1024) == 1.0
    assert usage(torch.full((7, 9), 5), 1024) == 1 / 1024


def test_perplexity_of_a_biased_pair():
    codes = torch.tensor([0, 0, 0, 1])
    assert math.isclose(perplexity(codes, 4), math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25)), rel_tol=1e-9)
    assert usage(codes, 4) == 0.5


@pytest.mark.parametrize("codes", [[], [4], [-1]])
def test_missing_and_foreign_codes_are_refused(codes):
    with pytest.raises(ValueError, match="codes"):
        perplexity(torch.tensor(codes, dtype=torch.int64), 4)
