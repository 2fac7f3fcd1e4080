"""Which examples each epoch and each device sees, of the endless stream that has a number for each."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Example numbers of one epoch after another: epoch e holds e * size * world up to (e + 1) * size * world.

    Args:
        size: examples an epoch and device.
        rank: number of this device.
        world: number of devices.
    """

    def __init__(self, size: int, rank: int = 0, world: int = 1):
        self.size, self.rank, self.world = size, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch; Lightning calls it before each, also when a run is resumed."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        total = self.size * self.world
        return iter(range(self.epoch * total + self.rank, (self.epoch + 1) * total, self.world))

    def __len__(self) -> int:
        return self.size
