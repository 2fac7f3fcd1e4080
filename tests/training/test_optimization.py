import pytest
import torch
from torch import nn

from makesomenoise.training.optimization import OptimiserConfig, follow, optimisers

CONFIG = OptimiserConfig(warmup_steps=10, falling=0.4)


def test_the_rate_rises_is_held_and_falls() -> None:
    assert CONFIG.rate(0, 100) == pytest.approx(0.1)
    assert CONFIG.rate(9, 100) == CONFIG.rate(60, 100) == 1.0
    assert CONFIG.rate(80, 100) == pytest.approx(0.5)
    assert CONFIG.rate(100, 100) == pytest.approx(0.01)


def test_a_longer_run_starts_like_a_shorter_one() -> None:
    assert [CONFIG.rate(n, 100) for n in range(60)] == [CONFIG.rate(n, 200) for n in range(60)]


def test_only_matrices_decay() -> None:
    settings = optimisers(nn.Linear(3, 2).parameters(), CONFIG, 100)
    matrices, rest = settings["optimizer"].param_groups  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue]
    assert [p.dim() for p in matrices["params"]] == [2]
    assert [p.dim() for p in rest["params"]] == [1]
    assert rest["weight_decay"] == 0.0 < matrices["weight_decay"]


def test_the_average_follows_slowly_after_quick_first_steps() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.constant_(network.weight, 2.0)
    network.num_batches_tracked.fill_(7)
    follow(average, network, CONFIG, step=10**6)
    assert average.weight.item() == pytest.approx(1.002)
    assert average.num_batches_tracked.item() == 7
    follow(average, network, CONFIG, step=0)
    assert average.weight.item() > 1.8
    assert torch.equal(network.weight, torch.tensor([2.0]))
