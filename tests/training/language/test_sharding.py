"""What is shared out is whole again when it is asked for."""

from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.distributed.tensor import DTensor

from makesomenoise.training.language.sharding import is_sharded, shard, shared_out, whole


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A group of one process, to which accelerate says that it shares out."""
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_one_process_by_itself_shares_nothing_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert not is_sharded()


@pytest.mark.usefixtures("alone")
def test_weights_and_moments_come_and_go_whole():
    learner = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    shard(learner, learner)
    assert is_sharded()
    assert all(isinstance(parameter, DTensor) for parameter in learner.parameters())
    for name, value in whole(learner.state_dict()).items():
        assert torch.equal(value, before[name])
    optimizer = torch.optim.AdamW(learner.parameters())
    learner(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = whole(optimizer.state_dict())
    assert not any(isinstance(value, DTensor) for kept in state["state"].values() for value in kept.values())
    again = torch.optim.AdamW(learner.parameters())
    again.load_state_dict(shared_out(state, again))
    for number, kept in whole(again.state_dict())["state"].items():
        for name, value in kept.items():
            assert torch.equal(value, state["state"][number][name])
    assert all(isinstance(again.state[parameter]["exp_avg"], DTensor) for parameter in learner.parameters())
