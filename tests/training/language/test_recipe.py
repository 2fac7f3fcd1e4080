"""A run learns what its codes mean, leaves a model that loads, and goes on exactly after an interruption."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from makesomenoise import checkpoint
from makesomenoise.data.codes import CodeClip, CodesError, Stamp, write_codes
from makesomenoise.data.instructions.examples import TaskWeights
from makesomenoise.language.config import LanguageConfig, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.language import trainer
from makesomenoise.training.language.embedding_alignment import EmbeddingAlignmentConfig
from makesomenoise.training.language.frame_supervision import FrameSupervisionConfig
from makesomenoise.training.language.recipe import (
    LanguageDataConfig,
    LanguageTrainingConfig,
    LanguageTrainingError,
    StageConfig,
    train_language,
)
from makesomenoise.training.language.trainer import LanguageOptimizerConfig, LanguageRunConfig
from makesomenoise.training.run import RunError
from tests.data.conftest import TINY
from tests.language.conftest import bases

__all__ = ["bases"]  # fixtures
SOME = TaskWeights(caption=0, presence=0, choose=0, go_on=0, generate=1.0, classify=1.0)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, config = tmp_path_factory.mktemp("tokenizer"), TokenizerConfig.from_dict(TINY)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        checkpoint.save_model(folder, config, TokenizerNetwork(config).state_dict())
    return folder


@pytest.fixture
def config(tmp_path: Path, tokenizer: Path, bases: dict[str, Path]) -> LanguageTrainingConfig:
    """Twelve steps on two labels, each of which has codes of its own."""
    loaded = AudioTokenizer.load(tokenizer, vocoder="griffin-lim")
    stamp = Stamp(loaded.fingerprint, loaded.codebook_size, loaded.code_rate)
    clips = [
        CodeClip(f"{label}-{n}", tuple(first + k % 3 for k in range(25)), 1.0, (0.0, 1.0), "esc50", label=label)
        for label, first in (("dog", 0), ("rain", 500))
        for n in range(4)
    ]
    (tmp_path / "codes").mkdir()
    write_codes(tmp_path / "codes" / "a.parquet", clips, stamp)
    codes = (str(tmp_path / "codes"),)
    return LanguageTrainingConfig(
        base=str(bases["llama"]),
        tokenizer=str(tokenizer),
        lora=LoraConfig(rank=4),
        data=LanguageDataConfig(train=codes, valid=codes, chats=4, valid_batches=2),
        embedding_alignment=EmbeddingAlignmentConfig(steps=20),
        stages=(
            StageConfig(name="one", steps=4, task_weights=SOME),
            StageConfig(name="two", steps=8, task_weights=SOME),
        ),
        optimizer=LanguageOptimizerConfig(lora_lr=5e-3, embedding_lr=1e-2, warmup_steps=2),
        run=LanguageRunConfig(batch_tokens=200, valid_every=4, threads=1, precision="float32"),
    )


def learned(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def test_a_run_leaves_a_model_that_loads_and_has_learned(config: LanguageTrainingConfig, tmp_path: Path):
    folder = train_language(config, tmp_path / "run")
    model = LanguageModel.load(folder)
    assert (
        model.config.tokenizer_fingerprint == AudioTokenizer.load(config.tokenizer, vocoder="griffin-lim").fingerprint
    )
    assert model.config.lora.rank == 4
    assert any(float(value.abs().max()) > 0 for name, value in model.learned().items() if "lora_B" in name)
    assert LanguageTrainingConfig.from_yaml(tmp_path / "run" / "config.yaml") == config
    curves = EventAccumulator(str(tmp_path / "run" / "curves"), size_guidance={"audio": 0})
    curves.Reload()
    assert {"sounds/dog", "sounds/rain"} == set(curves.Tags()["audio"])
    assert [sound.step for sound in curves.Audio("sounds/dog")] == [4, 8, 12]
    state = json.loads((tmp_path / "run" / "checkpoint-12" / "trainer_state.json").read_text())
    assert state["global_step"] == 12
    assert not (tmp_path / "run" / "checkpoint-8").exists()


def test_loss_on_the_fixed_batches_falls(
    config: LanguageTrainingConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("INFO"):
        train_language(config, tmp_path / "run")
    seen = [record.args[2]["loss"] for record in caplog.records if record.args and record.args[1:2] == ("valid",)]
    assert len(seen) == 3
    assert seen[-1] < seen[0]


@pytest.mark.parametrize("gradient_accumulation_steps", [1, 2])
def test_an_interrupted_run_goes_on_exactly(
    config: LanguageTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gradient_accumulation_steps: int
):
    run = config.run.model_copy(update={"gradient_accumulation_steps": gradient_accumulation_steps})
    config = config.model_copy(update={"run": run})
    train_language(config, tmp_path / "whole")
    noted = trainer.Validation.note
    calls = []

    def failing(self: trainer.Validation, losses: dict[str, torch.Tensor]) -> None:
        calls.append(1)
        if len(calls) > 6 * gradient_accumulation_steps:
            raise InterruptedError
        noted(self, losses)

    monkeypatch.setattr(trainer.Validation, "note", failing)
    with pytest.raises(InterruptedError):
        train_language(config, tmp_path / "broken")
    monkeypatch.undo()
    with pytest.raises(RunError, match="--resume"):
        train_language(config, tmp_path / "broken")
    train_language(config, tmp_path / "broken", resume=True)
    whole, broken = learned(tmp_path / "whole"), learned(tmp_path / "broken")
    assert whole.keys() == broken.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(broken[name], tensor, rtol=0, atol=0)


def test_a_run_can_start_from_a_model(config: LanguageTrainingConfig, tmp_path: Path):
    first = train_language(config, tmp_path / "run")
    part = (StageConfig(name="more", steps=1, task_weights=SOME),)
    rates = LanguageOptimizerConfig(lora_lr=1e-9, embedding_lr=1e-9, warmup_steps=0)
    more = config.model_copy(update={"init_from": str(first), "stages": part, "optimizer": rates})
    second = train_language(more, tmp_path / "more")
    torch.testing.assert_close(LanguageModel.load(second).rows, LanguageModel.load(first).rows, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_grounding_comes_first_and_goes_on_exactly(
    config: LanguageTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = config.model_copy(
        update={"frame_supervision": FrameSupervisionConfig(steps=6, layers=1, batch_tokens=200)}
    )
    train_language(config, tmp_path / "whole")
    plain = config.model_copy(update={"frame_supervision": FrameSupervisionConfig(steps=0)})
    train_language(plain, tmp_path / "plain")
    noted = trainer.Validation.note
    for name, last in (
        ("early", 5),
        ("late", 8),
    ):  # within the stage, and before the next checkpoint
        calls = []

        def failing(self: trainer.Validation, losses: dict[str, torch.Tensor], calls=calls, last=last) -> None:
            calls.append(1)
            if len(calls) > last:
                raise InterruptedError
            noted(self, losses)

        monkeypatch.setattr(trainer.Validation, "note", failing)
        with pytest.raises(InterruptedError):
            train_language(config, tmp_path / name)
        monkeypatch.undo()
        train_language(config, tmp_path / name, resume=True)
        for key, tensor in learned(tmp_path / "whole").items():
            torch.testing.assert_close(learned(tmp_path / name)[key], tensor, rtol=0, atol=0)
    assert any(not torch.equal(learned(tmp_path / "plain")[key], t) for key, t in learned(tmp_path / "whole").items())


def test_sounds_of_which_nothing_is_known_ground_nothing(config: LanguageTrainingConfig, tmp_path: Path):
    loaded = AudioTokenizer.load(config.tokenizer, vocoder="griffin-lim")
    stamp = Stamp(loaded.fingerprint, loaded.codebook_size, loaded.code_rate)
    (tmp_path / "nameless").mkdir()
    write_codes(tmp_path / "nameless" / "a.parquet", [CodeClip("x", (1,) * 60, 2.6, (0.0, 2.6), "own")], stamp)
    data = config.data.model_copy(update={"train": (str(tmp_path / "nameless"),)})
    nameless = config.model_copy(update={"data": data, "frame_supervision": FrameSupervisionConfig(steps=2)})
    with pytest.raises(LanguageTrainingError, match="no labels or scenes"):
        train_language(nameless, tmp_path / "run")


def test_a_model_that_goes_on_can_begin_to_tell_the_time(config: LanguageTrainingConfig, tmp_path: Path):
    first = train_language(config.model_copy(update={"time_markers": False}), tmp_path / "run")
    part = (StageConfig(name="more", steps=1, task_weights=SOME),)
    second = train_language(config.model_copy(update={"init_from": str(first), "stages": part}), tmp_path / "more")
    assert [LanguageModel.load(folder).config.time_markers for folder in (first, second)] == [False, True]


def test_codes_of_another_tokenizer_are_refused(config: LanguageTrainingConfig, tmp_path: Path):
    other = config.model_copy(update={"tokenizer": "default"})
    with pytest.raises(CodesError, match="expected"):
        train_language(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_tokenizer_is_no_start(
    config: LanguageTrainingConfig, tmp_path: Path, bases: dict[str, Path]
):

    other = LanguageConfig(
        base=str(bases["llama"]), tokenizer_fingerprint="f" * 16, codebook_size=1024, lora=LoraConfig(rank=4)
    )
    LanguageModel.create(other, torch.randn(1024, 8)).save(tmp_path / "other")
    started = config.model_copy(update={"init_from": str(tmp_path / "other")})
    with pytest.raises(LanguageTrainingError, match="ffffffff"):
        train_language(started, tmp_path / "run")
