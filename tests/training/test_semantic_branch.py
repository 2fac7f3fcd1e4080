"""The semantic branch learns labels, resumes exactly, and a tokenizer starts from it."""

from pathlib import Path

import pytest
import soundfile
import torch

from makesomenoise.checkpoint import CheckpointError, load_state
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.training import semantic_branch
from makesomenoise.training.optimization import OptimizerConfig
from makesomenoise.training.run import RunConfig
from makesomenoise.training.semantic_branch import (
    SemanticBranchDataConfig,
    SemanticBranchTrainingConfig,
    train_semantic_branch,
)
from makesomenoise.training.tokenizer import DataConfig, TokenizerTraining, TokenizerTrainingConfig
from tests.conftest import Tone
from tests.factories import BRANCH

MODEL = TokenizerConfig.model_validate({"encoder": {"semantic_branch": BRANCH}})


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> SemanticBranchTrainingConfig:
    """Six steps on two labelled tones."""
    folder = tmp_path_factory.mktemp("clips")
    for label, hz in (("low", 200.0), ("high", 3000.0)):
        (folder / label).mkdir()
        soundfile.write(folder / label / "tone.wav", tone(0.8, hz).numpy(), 24_000)
    clips = (str(folder),)
    return SemanticBranchTrainingConfig(
        model=MODEL,
        data=SemanticBranchDataConfig(train=clips, valid=clips, crop_codes=16, valid_crops=8, min_clips_per_label=1),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=5),
        run=RunConfig(steps=6, valid_every=2, batch_size=4, threads=1),
    )


@pytest.fixture(scope="module")
def trained(config: SemanticBranchTrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What that configuration gives in one go."""
    return train_semantic_branch(config, tmp_path_factory.mktemp("runs") / "whole")


def test_it_learns_to_tell_two_tones(
    config: SemanticBranchTrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=semantic_branch.__name__)
    run = RunConfig(steps=60, valid_every=60, batch_size=8, threads=1)
    train_semantic_branch(config.model_copy(update={"run": run}), tmp_path / "run")
    named = [message for message in caplog.messages if "label accuracy" in message]
    assert float(named[-1].split()[-1]) > 0.9


def test_an_interrupted_run_goes_on_exactly(
    config: SemanticBranchTrainingConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_state(trained)
    step = semantic_branch.SemanticBranchTraining.training_step

    def failing(
        self: semantic_branch.SemanticBranchTraining, batch: dict[str, torch.Tensor], number: int
    ) -> torch.Tensor:
        if self.current_epoch == 2:
            raise InterruptedError
        return step(self, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(semantic_branch.SemanticBranchTraining, "training_step", failing)
        with pytest.raises(InterruptedError):
            train_semantic_branch(config, tmp_path / "parts")
    parts = load_state(train_semantic_branch(config, tmp_path / "parts", resume=True))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())


def test_a_tokenizer_starts_from_it(config: SemanticBranchTrainingConfig, trained: Path, tmp_path: Path) -> None:
    data = DataConfig(train=config.data.train, valid=config.data.valid)
    training = TokenizerTrainingConfig(model=MODEL, init_semantic_branch_from=str(trained), data=data)
    state = TokenizerTraining(training, [], tmp_path).network.encoder.scene.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in load_state(trained).items())


def test_a_branch_of_another_size_is_refused(
    config: SemanticBranchTrainingConfig, trained: Path, tmp_path: Path
) -> None:
    data = DataConfig(train=config.data.train, valid=config.data.valid)
    training = TokenizerTrainingConfig(init_semantic_branch_from=str(trained), data=data)
    with pytest.raises(CheckpointError):
        TokenizerTraining(training, [], tmp_path)
