"""Epochs follow each other without a gap, whatever the number of devices."""

from makesomenoise.training.run import EpochSampler, blocks


def test_epochs_follow_each_other_and_devices_share_them():
    samplers = [EpochSampler(3, rank, world=2) for rank in (0, 1)]
    assert [list(sampler) for sampler in samplers] == [[0, 2, 4], [1, 3, 5]]
    for sampler in samplers:
        sampler.set_epoch(2)
    assert sorted(n for sampler in samplers for n in sampler) == list(range(12, 18))
    assert len(samplers[0]) == 3


def test_a_step_of_several_devices_is_that_of_one():
    one = list(EpochSampler(8, batch_size=4))
    several = [list(EpochSampler(4, rank, 2, batch_size=2)) for rank in (0, 1)]
    assert [[*several[0][n : n + 2], *several[1][n : n + 2]] for n in (0, 2)] == [one[:4], one[4:]]
    assert list(blocks(range(7), 1, 2, 2)) == [2, 3, 6]
