"""Epochs follow each other without a gap, whatever the number of devices."""

from makesomenoise.training.run import EpochSampler


def test_epochs_follow_each_other_and_devices_share_them():
    samplers = [EpochSampler(3, rank, world=2) for rank in (0, 1)]
    assert [list(sampler) for sampler in samplers] == [[0, 2, 4], [1, 3, 5]]
    for sampler in samplers:
        sampler.set_epoch(2)
    assert sorted(n for sampler in samplers for n in sampler) == list(range(12, 18))
    assert len(samplers[0]) == 3
