import torch

from makesomenoise.nn.convnext import ConvNeXtBlock


def test_a_scale_of_zero_leaves_the_signal_as_it_is() -> None:
    x = torch.randn(2, 8, 11, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ConvNeXtBlock(8, 16, scale=0.0)(x), x)


def test_a_step_reaches_exactly_half_a_kernel_to_either_side() -> None:
    block = ConvNeXtBlock(4, 8, kernel=5)
    x = torch.randn(1, 4, 21, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[:, :, 10] += 1.0
    changed = (block(moved) - block(x)).abs().sum(1)[0].nonzero().flatten()
    assert changed.tolist() == [8, 9, 10, 11, 12]


def test_parameters_have_the_names_that_published_weights_use() -> None:
    names = {name for name, _ in ConvNeXtBlock(4, 8).named_parameters()}
    layers = {f"{layer}.{kind}" for layer in ("dwconv", "norm", "pwconv1", "pwconv2") for kind in ("weight", "bias")}
    assert names == layers | {"gamma"}
