"""A learning rate rises, is held and decays; matrices alone decay; the average of weights follows them."""

import pytest
import torch
from torch import nn

from makesomenoise.training.optimization import OptimizerConfig, ScheduleConfig, lightning_optimizer, update_ema

CONFIG = OptimizerConfig(warmup_steps=10, decay_fraction=0.4)


def test_the_rate_rises_is_held_and_decays() -> None:
    assert CONFIG.factor(0, 100) == pytest.approx(0.1)
    assert CONFIG.factor(9, 100) == CONFIG.factor(60, 100) == 1.0
    assert CONFIG.factor(80, 100) == pytest.approx(0.5)
    assert CONFIG.factor(100, 100) == pytest.approx(0.01)


def test_a_line_falls_in_equal_steps_to_its_floor() -> None:
    config = ScheduleConfig(warmup_steps=4, decay_fraction=0.5, final_factor=0.1)
    rates = [config.factor(step, 100) for step in range(101)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(rates[3:51]) == {1.0}
    assert rates[75] == pytest.approx(0.5)
    assert rates[95:] == pytest.approx([0.1] * 6)


def test_a_cosine_starts_at_the_end_of_the_warm_up() -> None:
    config = ScheduleConfig(warmup_steps=20, decay="cosine", decay_fraction=1.0, final_factor=0.0)
    assert config.factor(20, 100) == 1.0
    assert config.factor(60, 100) == pytest.approx(0.5)
    assert config.factor(40, 100) == pytest.approx(0.5 + 0.5 * 2**-0.5)
    assert config.factor(100, 100) == pytest.approx(0.0)


def test_a_run_without_warm_up_starts_at_the_highest() -> None:
    assert ScheduleConfig(warmup_steps=0).factor(0, 10) == 1.0


def test_a_longer_run_starts_like_a_shorter_one() -> None:
    assert [CONFIG.factor(n, 100) for n in range(60)] == [CONFIG.factor(n, 200) for n in range(60)]


def test_only_matrices_decay() -> None:
    settings = lightning_optimizer(nn.Linear(3, 2).parameters(), CONFIG, 100)
    matrices, rest = settings["optimizer"].param_groups  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue]
    assert [p.dim() for p in matrices["params"]] == [2]
    assert [p.dim() for p in rest["params"]] == [1]
    assert rest["weight_decay"] == 0.0 < matrices["weight_decay"]


def test_the_average_follows_slowly_after_quick_first_steps() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.constant_(network.weight, 2.0)
    network.num_batches_tracked.fill_(7)
    update_ema(average, network, 0.998, step=10**6)
    assert average.weight.item() == pytest.approx(1.002)
    assert average.num_batches_tracked.item() == 7
    update_ema(average, network, 0.998, step=0)
    assert average.weight.item() > 1.8
    assert torch.equal(network.weight, torch.tensor([2.0]))
