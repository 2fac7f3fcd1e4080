"""A run learns what its codes mean, leaves a model that loads, and goes on exactly after an interruption."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

from makesomenoise.data.codes import CodeClip, CodesError, Stamp, read_codes, read_stamp, write_codes
from makesomenoise.data.instructions.text_only import read_chat
from makesomenoise.language.config import LanguageConfig, LanguageError, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.training.language import recipe, trainer
from makesomenoise.training.language.frame_supervision import FrameSupervisionConfig
from makesomenoise.training.language.recipe import LanguageTrainingConfig, LanguageTrainingError, train_language
from makesomenoise.training.language.trainer import LanguageOptimizerConfig
from makesomenoise.training.run import RunError


@pytest.fixture(scope="module")
def whole(config: LanguageTrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that configuration, trained in one go, with samples of what the model makes."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_MADE_SECONDS", 0.2)
        patch.setattr(trainer, "_LONGEST_CAPTION", 4)
        assert train_language(config, folder) == folder / "model"
    return folder


@pytest.fixture
def silent(config: LanguageTrainingConfig, whole: Path, monkeypatch: pytest.MonkeyPatch) -> LanguageTrainingConfig:
    """The same without samples, which change no weight, and with the answers of the base that were drawn already."""
    answers = read_chat(whole / "chats.jsonl")
    monkeypatch.setattr(recipe, "base_answers", lambda *_, **__: answers)
    return config.model_copy(update={"data": config.data.model_copy(update={"samples": 0})})


def learned(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def assert_same(one: Path, two: Path) -> None:
    expected, found = learned(one), learned(two)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def interrupt(monkeypatch: pytest.MonkeyPatch, config: LanguageTrainingConfig, run: Path, batches: int) -> None:
    """Runs until so many batches were learned."""
    noted, calls = trainer.Validation.note, []

    def failing(self: trainer.Validation, losses: trainer.Losses) -> None:
        calls.append(1)
        if len(calls) > batches:
            raise InterruptedError
        noted(self, losses)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Validation, "note", failing)
        with pytest.raises(InterruptedError):
            train_language(config, run)


def test_a_run_leaves_a_model_that_loads_and_has_learned(config: LanguageTrainingConfig, whole: Path):
    model = LanguageModel.load(whole / "model")
    assert (
        model.config.tokenizer_fingerprint == AudioTokenizer.load(config.tokenizer, vocoder="griffin-lim").fingerprint
    )
    assert model.config.lora.rank == 4
    assert any(float(value.abs().max()) > 0 for name, value in model.learned().items() if "lora_B" in name)
    assert LanguageTrainingConfig.from_yaml(whole / "config.yaml") == config
    curves = EventAccumulator(str(whole / "curves"), size_guidance={"audio": 0})
    curves.Reload()
    assert {"sounds/dog", "sounds/rain"} == set(curves.Tags()["audio"])
    assert [sound.step for sound in curves.Audio("sounds/dog")] == [2, 4, 6]
    state = json.loads((whole / "checkpoint-6" / "trainer_state.json").read_text())
    assert state["global_step"] == 6
    assert not (whole / "checkpoint-4").exists()


def test_loss_on_the_fixed_batches_falls(whole: Path):
    curves = EventAccumulator(str(whole / "curves"))
    curves.Reload()
    seen = [event.value for event in curves.Scalars("valid/loss")]
    assert len(seen) == 3
    assert seen[-1] < seen[0]


def test_an_interrupted_run_goes_on_exactly(
    silent: LanguageTrainingConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    interrupt(monkeypatch, silent, tmp_path / "broken", batches=3)
    with pytest.raises(RunError, match="--resume"):
        train_language(silent, tmp_path / "broken")
    train_language(silent, tmp_path / "broken", resume=True)
    assert_same(whole, tmp_path / "broken")


def test_an_interrupted_run_of_accumulated_gradients_goes_on_exactly(
    silent: LanguageTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = silent.run.model_copy(update={"gradient_accumulation_steps": 2})
    accumulated = silent.model_copy(update={"run": run})
    train_language(accumulated, tmp_path / "whole")
    interrupt(monkeypatch, accumulated, tmp_path / "broken", batches=6)
    train_language(accumulated, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")


def test_a_run_can_start_from_a_model(silent: LanguageTrainingConfig, whole: Path, tmp_path: Path):
    part = (silent.stages[0].model_copy(update={"steps": 1}),)
    rates = LanguageOptimizerConfig(lora_lr=1e-9, embedding_lr=1e-9, warmup_steps=0)
    first = whole / "model"
    more = silent.model_copy(update={"init_from": str(first), "stages": part, "optimizer": rates})
    second = train_language(more, tmp_path / "more")
    torch.testing.assert_close(LanguageModel.load(second).rows, LanguageModel.load(first).rows, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_grounding_comes_first_and_goes_on_exactly(
    silent: LanguageTrainingConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    supervision = FrameSupervisionConfig(steps=4, layers=1, batch_tokens=200)
    grounded = silent.model_copy(update={"frame_supervision": supervision})
    train_language(grounded, tmp_path / "whole")
    # Within that stage, and before the next checkpoint.
    for name, batches in (("early", 3), ("late", 5)):
        interrupt(monkeypatch, grounded, tmp_path / name, batches)
        train_language(grounded, tmp_path / name, resume=True)
        assert_same(tmp_path / "whole", tmp_path / name)
    plain = learned(whole)
    assert any(not torch.equal(plain[key], tensor) for key, tensor in learned(tmp_path / "whole").items())


def test_sounds_of_which_nothing_is_known_ground_nothing(config: LanguageTrainingConfig, tmp_path: Path):
    loaded = AudioTokenizer.load(config.tokenizer, vocoder="griffin-lim")
    stamp = Stamp(loaded.fingerprint, loaded.codebook_size, loaded.code_rate)
    (tmp_path / "nameless").mkdir()
    write_codes(tmp_path / "nameless" / "a.parquet", [CodeClip("x", (1,) * 60, 2.6, (0.0, 2.6), dataset="own")], stamp)
    data = config.data.model_copy(update={"train": (str(tmp_path / "nameless"),)})
    nameless = config.model_copy(update={"data": data, "frame_supervision": FrameSupervisionConfig(steps=2)})
    with pytest.raises(LanguageTrainingError, match="no labels or scenes"):
        train_language(nameless, tmp_path / "run")


def test_a_model_that_goes_on_can_begin_to_tell_the_time(silent: LanguageTrainingConfig, tmp_path: Path):
    short = silent.model_copy(update={"stages": (silent.stages[0].model_copy(update={"steps": 1}),)})
    first = train_language(short.model_copy(update={"time_markers": False}), tmp_path / "run")
    second = train_language(short.model_copy(update={"init_from": str(first)}), tmp_path / "more")
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
    with pytest.raises(LanguageTrainingError, match=r"ffffffff.*or give codes_before"):
        train_language(started, tmp_path / "run")


def test_codes_of_another_tokenizer_start_as_those_of_the_same_moments(
    silent: LanguageTrainingConfig, whole: Path, tmp_path: Path
):
    before = LanguageModel.load(whole / "model")
    own, size = before.config.tokenizer_fingerprint, before.config.codebook_size
    before.config = before.config.model_copy(update={"tokenizer_fingerprint": "f" * 16})
    before.save(tmp_path / "other")
    clips = [
        replace(clip, codes=tuple((code + 7) % size for code in clip.codes)) for clip in read_codes(*silent.data.train)
    ]
    write_codes(tmp_path / "before.parquet", clips, replace(read_stamp(silent.data.train[0]), fingerprint="f" * 16))
    started = silent.model_copy(
        update={
            "init_from": str(tmp_path / "other"),
            "codes_before": (str(tmp_path / "before.parquet"),),
            "stages": (silent.stages[-1].model_copy(update={"steps": 1}),),
            "optimizer": LanguageOptimizerConfig(lora_lr=1e-9, embedding_lr=1e-9),
        }
    )
    after = LanguageModel.load(train_language(started, tmp_path / "run"))
    assert after.config.tokenizer_fingerprint == own
    for code in (0, 1, 2, 500, 501, 502):  # those that sound
        nearest = F.cosine_similarity(after.rows[code][None], before.rows[:size]).argmax()
        assert nearest == (code + 7) % size
    torch.testing.assert_close(after.rows[-2:], before.rows[-2:], atol=1e-3, rtol=0)
    assert train_language(started, tmp_path / "run", resume=True) == tmp_path / "run" / "model"


def test_codes_of_another_number_are_refused(whole: Path):
    model = LanguageModel.load(whole / "model")
    with pytest.raises(LanguageError, match="and the tokenizer has 7: it cannot learn"):
        model.take_codes_of("0" * 16, 7)
