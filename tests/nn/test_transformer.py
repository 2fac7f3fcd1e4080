"""Attention sees order but not absolute place, and as far as there is something to see."""

import torch

from makesomenoise.nn.transformer import RotaryAttention, TransformerBlock, rotary_angles, rotate


def test_rotation_keeps_lengths():
    x = torch.randn(2, 3, 7, 8)
    torch.testing.assert_close(rotate(x, rotary_angles(7, 8, x.device)).norm(dim=-1), x.norm(dim=-1))


def test_products_depend_on_distance_alone():
    q, k = torch.randn(8), torch.randn(8)
    angles = rotary_angles(20, 8, q.device)
    turned_q, turned_k = rotate(q.expand(1, 1, 20, 8), angles)[0, 0], rotate(k.expand(1, 1, 20, 8), angles)[0, 0]
    products = turned_q @ turned_k.T
    torch.testing.assert_close(products[3, 1], products[17, 15], rtol=1e-4, atol=1e-5)
    assert not torch.isclose(products[3, 1], products[3, 2])


def test_attention_without_positions_would_not_notice_a_swap_but_ours_does():
    attention, x = RotaryAttention(16, 2), torch.randn(1, 6, 16)
    swapped = x[:, [1, 0, 2, 3, 4, 5]]
    assert not torch.allclose(attention(x)[:, 5], attention(swapped)[:, 5])


def test_every_position_reaches_every_other():
    block, x = TransformerBlock(16, 2, 32), torch.randn(1, 9, 16)
    changed = x.clone()
    changed[:, 0] += 1.0
    assert ((block(changed) - block(x)).abs().sum(-1) > 0).all()
