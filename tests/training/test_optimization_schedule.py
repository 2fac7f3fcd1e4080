"""A rate rises in equal steps, holds, and falls in a straight line to its floor."""

import pytest

from makesomenoise.training.optimization import factor


def test_it_rises_holds_and_falls():
    rates = [factor(step, 100, warmup_steps=4, falling=0.5, least=0.1) for step in range(101)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert set(rates[3:51]) == {1.0}
    assert rates[75] == pytest.approx(0.5)
    assert rates[95:] == pytest.approx([0.1] * 6)


def test_a_run_without_warm_up_starts_at_the_highest():
    assert factor(0, 10, warmup_steps=0, falling=0.5, least=0.1) == 1.0
