"""Steps that differ are told apart; what is not learned yet, of jumps or of modulation, changes nothing."""

import torch

from makesomenoise.nn.conditioning import Modulation, StepEmbedding


def _embedding() -> StepEmbedding:
    torch.manual_seed(0)
    return StepEmbedding(16)


def test_times_that_differ_are_told_apart():
    embedded = _embedding()(torch.linspace(0.0, 1.0, 50))
    distances = torch.cdist(embedded, embedded) + torch.eye(50)
    assert distances.min().item() > 1e-4


def test_span_and_guidance_add_nothing_at_first():
    embedding, t = _embedding(), torch.tensor([0.1, 0.7])
    jumped = embedding(t, torch.tensor([0.3, 0.2]), torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(jumped, embedding(t), rtol=0, atol=0)


def test_an_instant_without_guidance_is_never_changed_by_what_is_learned_of_jumps():
    embedding, t = _embedding(), torch.tensor([0.1, 0.7])
    before = embedding(t)
    torch.nn.init.normal_(embedding.jump.weight)
    torch.testing.assert_close(embedding(t), before, rtol=0, atol=0)
    torch.testing.assert_close(embedding(t, torch.zeros(2), torch.ones(2)), before, rtol=0, atol=0)


def test_learned_spans_and_scales_are_told_apart():
    embedding, t = _embedding(), torch.full((4,), 0.25)
    torch.nn.init.normal_(embedding.jump.weight)
    embedded = embedding(t, torch.tensor([0.0, 0.25, 0.75, 0.25]), torch.tensor([1.0, 1.0, 1.0, 2.0]))
    assert (torch.cdist(embedded, embedded) + torch.eye(4)).min() > 1e-3


def test_each_block_gets_the_shared_part_and_its_offset():
    modulation = Modulation(16, 5, blocks=3)
    assert [m.abs().max().item() for m in modulation(torch.randn(2, 16))] == [0.0, 0.0, 0.0]
    torch.nn.init.normal_(modulation.offsets)
    first, _, third = modulation(torch.randn(2, 16))
    assert first.shape == (2, 3, 5)
    torch.testing.assert_close(first - third, (modulation.offsets[0] - modulation.offsets[2]).expand(2, 3, 5))
