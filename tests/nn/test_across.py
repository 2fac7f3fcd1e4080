"""Two processes compute what one computes of all their rows."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from makesomenoise.nn.across import BatchNorm1d, mean_across, own_rows

ROWS = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))


def computed(rows: Tensor) -> dict[str, Tensor]:
    """A loss that is of the whole batch in each of its parts, with its gradient and what else is left behind."""
    layer = BatchNorm1d(3)
    rows = rows.clone().requires_grad_()
    made = layer(rows)
    drawn = own_rows(lambda n: torch.rand(n, 3, 5, generator=torch.Generator().manual_seed(1)), len(rows))
    weight = (drawn > 0.5).float()
    loss = (made.square() * drawn * weight).sum() / mean_across(weight.sum()) + mean_across(made.mean(0)).square().sum()
    loss.backward()
    assert rows.grad is not None
    return {"gradient": rows.grad, "loss": loss.detach(), "mean": layer.running_mean, "variance": layer.running_var}


def take_part(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'group'}", rank=rank, world_size=2)
    found = computed(ROWS[3 * rank : 3 * rank + 3])
    distributed.all_reduce(found["loss"])
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path):
    multiprocessing.spawn(take_part, (tmp_path,), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    one = computed(ROWS)
    torch.testing.assert_close(first["loss"] / 2, one["loss"])
    torch.testing.assert_close(torch.cat([first["gradient"], second["gradient"]]) / 2, one["gradient"])
    for name in ("mean", "variance"):
        torch.testing.assert_close(first[name], one[name])
        torch.testing.assert_close(second[name], one[name])


def test_by_itself_a_layer_is_that_of_torch():
    ours, theirs = BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    assert torch.equal(ours(ROWS), theirs(ROWS))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
