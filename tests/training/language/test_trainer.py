"""Rates rise, hold and fall as they say; the loss noted is that of tokens, not of batches."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerControl, TrainerState, TrainingArguments

from makesomenoise.training.language import trainer
from makesomenoise.training.language.trainer import LanguageOptimizerConfig, LanguageRunConfig, Losses, Validation


def test_rates_rise_hold_and_fall():
    rates = LanguageOptimizerConfig(warmup_steps=10, decay_fraction=0.5)
    assert rates.factor(0, 100) == pytest.approx(0.1)
    assert rates.factor(9, 100) == 1.0
    assert rates.factor(50, 100) == 1.0
    assert rates.factor(75, 100) == pytest.approx(0.5)
    assert rates.factor(100, 100) == pytest.approx(0.02)


def test_losses_are_means_over_tokens(tmp_path: Path):
    seen = Validation([], tmp_path)
    for text, texts, audios in ((1.0, 1, 0), (3.0, 3, 2)):
        means = {"text": text, "audio": 7.0, "kept": 5.0 * text}
        counts = {"text": texts, "audio": audios, "kept": texts}
        tensors = ({kind: torch.tensor(value) for kind, value in values.items()} for values in (means, counts))
        seen.note(Losses(torch.tensor(text), *tensors))
    state = TrainerState(global_step=10, max_steps=100)
    arguments = TrainingArguments(output_dir=str(tmp_path), report_to=[], use_cpu=True)
    seen.on_step_end(arguments, state, TrainerControl())
    curves = EventAccumulator(str(tmp_path / "curves"))
    curves.Reload()
    found = {tag: curves.Scalars(tag)[0].value for tag in curves.Tags()["scalars"]}
    assert found == {"train/loss": 2.0, "train/text": 2.5, "train/audio": 7.0, "train/kept": 12.5}


def test_a_run_computes_in_what_it_says_or_else_in_what_the_machine_is_fast_at(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(trainer, "usual_dtype", lambda device: {"cpu": torch.float32}[device])
    assert LanguageRunConfig().dtype == torch.float32
    assert LanguageRunConfig(precision="bfloat16").dtype == torch.bfloat16
    assert LanguageRunConfig(precision="float32").dtype == torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(trainer, "usual_dtype", lambda device: {"cuda": torch.bfloat16}[device])
    assert LanguageRunConfig().dtype == torch.bfloat16
