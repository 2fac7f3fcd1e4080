"""The semantic branch learns labels, resumes exactly, and a tokenizer starts from it."""

from pathlib import Path

import pytest
import soundfile
import torch

from makesomenoise.checkpoint import CheckpointError, load_state, save_model
from makesomenoise.errors import ConfigError
from makesomenoise.model_folder import load_config
from makesomenoise.tokenizer.config import SemanticBranchConfig, TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training import semantic_branch
from makesomenoise.training.optimization import OptimizerConfig
from makesomenoise.training.run import RunConfig
from makesomenoise.training.semantic_branch import (
    SemanticBranchDataConfig,
    SemanticBranchTrainingConfig,
    train_semantic_branch,
)
from makesomenoise.training.teacher_loss import TeacherLossConfig
from makesomenoise.training.tokenizer import DataConfig, TokenizerTraining, TokenizerTrainingConfig, train_tokenizer
from tests.conftest import Tone
from tests.engine.tiny_ears import write_onnx
from tests.factories import BRANCH, TINY

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


def test_it_starts_from_that_of_a_tokenizer(config: SemanticBranchTrainingConfig, tmp_path: Path) -> None:
    tokenizer = TokenizerNetwork(MODEL)
    save_model(tmp_path / "tokenizer", MODEL, tokenizer.state_dict())
    started = config.model_copy(update={"init_from": str(tmp_path / "tokenizer")})
    state = semantic_branch.SemanticBranchTraining(started, 2, tmp_path).network.branch.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tokenizer.encoder.scene.state_dict().items())


def test_a_teacher_is_learned_from_and_recorded_up_to_the_tokenizer(
    config: SemanticBranchTrainingConfig, tmp_path: Path
) -> None:
    net = write_onnx(tmp_path / "net.onnx", 2400, 4)
    teacher = {"ear": f"{net},sample_rate=24000,window_samples=2400,hop_samples=2400,tensor=1,scores=0"}
    asked = TeacherLossConfig.from_dict(teacher | {"cache": str(tmp_path / "taught")}, "the test")
    run = RunConfig(steps=2, valid_every=2, batch_size=4, threads=1)
    model = train_semantic_branch(config.model_copy(update={"teacher_loss": asked, "run": run}), tmp_path / "branch")
    (record,) = load_config(model, SemanticBranchConfig).teachers
    assert record.name == "net"

    codes = TokenizerTrainingConfig(
        model=TokenizerConfig.model_validate(TINY),
        init_semantic_branch_from=str(model),
        data=DataConfig(train=config.data.train, valid=config.data.valid, crop_codes=16, valid_crops=2),
        teacher_loss=asked,
        run=RunConfig(steps=2, valid_every=1, batch_size=2, threads=1),
    )
    trained = load_config(train_tokenizer(codes, tmp_path / "codes"), TokenizerConfig)
    assert trained.code_teachers == (record,)
    assert trained.teachers == ()
    further = codes.model_copy(
        update={
            "teacher_loss": TeacherLossConfig(),
            "init_semantic_branch_from": None,
            "init_from": str(tmp_path / "codes" / "model"),
            "freeze_codes": True,
        }
    )
    decoder = load_config(train_tokenizer(further, tmp_path / "decoder"), TokenizerConfig)
    assert decoder.code_teachers == (record,)


def test_a_teacher_of_codes_that_stay_is_refused() -> None:
    values = {
        "data": {"train": ["a"], "valid": ["a"]},
        "init_from": "default",
        "freeze_codes": True,
        "teacher_loss": {"ear": "net.onnx", "cache": "taught"},
    }
    with pytest.raises(ConfigError, match="teaches codes, which freeze_codes keeps"):
        TokenizerTrainingConfig.from_dict(values, "the test")
