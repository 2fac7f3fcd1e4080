"""ConvNeXt blocks see half a kernel to either side, and are changed from outside as far as they are told."""

import pytest
import torch

from makesomenoise.nn.convnext import AdaptiveConvNeXtBlock, ConvNeXtBlock


def _signal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_scale_of_zero_leaves_the_signal_as_it_is() -> None:
    x = _signal(2, 8, 11)
    torch.testing.assert_close(ConvNeXtBlock(8, 16, scale=0.0)(x), x)


def test_a_step_reaches_exactly_half_a_kernel_to_either_side() -> None:
    block = ConvNeXtBlock(4, 8, kernel=5)
    x = _signal(1, 4, 21)
    moved = x.clone()
    moved[:, :, 10] += 1.0
    changed = (block(moved) - block(x)).abs().sum(1)[0].nonzero().flatten()
    assert changed.tolist() == [8, 9, 10, 11, 12]


def test_parameters_have_the_names_that_published_weights_use() -> None:
    names = {name for name, _ in ConvNeXtBlock(4, 8).named_parameters()}
    layers = {f"{layer}.{kind}" for layer in ("dwconv", "norm", "pwconv1", "pwconv2") for kind in ("weight", "bias")}
    assert names == layers | {"gamma"}


def test_the_adaptive_block_is_the_other_one_on_channels_last() -> None:
    plain, adaptive = ConvNeXtBlock(8, 16), AdaptiveConvNeXtBlock(8, 16, kernel=7)
    names = {"mix": "dwconv", "norm": "norm", "up": "pwconv1", "down": "pwconv2"}
    state = plain.state_dict()
    adaptive.load_state_dict({f"{a}.{k}": state[f"{b}.{k}"] for a, b in names.items() for k in ("weight", "bias")})
    x = _signal(2, 8, 11)
    torch.testing.assert_close(adaptive(x.transpose(1, 2)).transpose(1, 2), plain(x))


def test_a_modulation_of_zeros_is_none() -> None:
    block, x = AdaptiveConvNeXtBlock(8, 16, kernel=5), _signal(2, 11, 8)
    torch.testing.assert_close(block(x, torch.zeros(2, 3, 8)), block(x))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_shift_scale_and_gate_change_their_own_example(part: int) -> None:
    block, x = AdaptiveConvNeXtBlock(8, 16, kernel=5), _signal(2, 11, 8)
    modulation = torch.zeros(2, 3, 8)
    modulation[1, part] = 0.5
    changed, plain = block(x, modulation), block(x)
    torch.testing.assert_close(changed[0], plain[0])
    assert ((changed[1] - plain[1]).abs().sum(-1) > 0).all()


def test_a_gate_of_minus_one_closes_the_branch() -> None:
    block, x = AdaptiveConvNeXtBlock(8, 16, kernel=5), _signal(1, 11, 8)
    modulation = torch.zeros(1, 3, 8)
    modulation[:, 2] = -1.0
    torch.testing.assert_close(block(x, modulation), x)
