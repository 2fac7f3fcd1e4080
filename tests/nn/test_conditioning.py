"""Time embeddings tell times apart; modulation is affine."""

import torch

from makesomenoise.nn.conditioning import TimeEmbedding, modulate


def test_times_that_differ_are_told_apart():
    embedded = TimeEmbedding(16)(torch.linspace(0.0, 1.0, 50))
    distances = torch.cdist(embedded, embedded) + torch.eye(50)
    assert distances.min().item() > 1e-4


def test_modulate_is_affine():
    x = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(modulate(x, torch.tensor(3.0), torch.tensor(1.0)), torch.tensor([5.0, 7.0]))
    assert modulate(x, None, None) is x
