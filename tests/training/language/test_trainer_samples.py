"""What is said of a few clips and made of their names stands among the curves, always for the same clips."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard.writer import SummaryWriter

from makesomenoise.data.codes import CodeClip
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.training.language import trainer
from makesomenoise.training.language.trainer import Samples
from tests import factories


@pytest.fixture(scope="module")
def model(bases: dict[str, Path], codebook: torch.Tensor) -> LanguageModel:
    return factories.untrained(bases["llama"], codebook)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> AudioTokenizer:
    folder = factories.save_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return AudioTokenizer.load(folder, vocoder="griffin-lim")


def noted(samples: Samples, model: LanguageModel, folder: Path) -> EventAccumulator:
    with SummaryWriter(str(folder)) as curves:
        samples.add_to(curves, 7, model)
    found = EventAccumulator(str(folder), size_guidance={"audio": 0, "tensors": 0})
    found.Reload()
    return found


def clip(number: int, label: str, dataset: str = "esc50") -> CodeClip:
    return CodeClip(f"clip-{number}", (number,) * 30, 1.3, (0.0, 1.0), dataset=dataset, label=label)


def test_clips_are_described_and_their_names_made_into_sounds(model, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "_MADE_SECONDS", 0.5)
    monkeypatch.setattr(trainer, "_LONGEST_CAPTION", 8)
    clips = [clip(0, "dog"), clip(1, "dog"), clip(2, "rain"), clip(3, "no such label", "debian")]
    found = noted(Samples(clips, 5, tokenizer), model, tmp_path)
    assert set(found.Tags()["audio"]) == {"sounds/dog", "sounds/rain"}
    assert set(found.Tags()["tensors"]) == {"captions/dog/text_summary", "captions/rain/text_summary"}
    sound = found.Audio("sounds/dog")[0]
    assert (sound.step, sound.sample_rate) == (7, 24000.0)
    assert sound.length_frames == pytest.approx(0.5 * 24000, abs=1024)
    text = found.Tensors("captions/dog/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("clip-0: ")


def test_no_more_clips_than_asked_for_are_chosen(model, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "_MADE_SECONDS", 0.2)
    monkeypatch.setattr(trainer, "_LONGEST_CAPTION", 4)
    clips = [clip(n, label) for n, label in enumerate(("dog", "rain", "cow", "siren"))]
    first, again = (noted(Samples(clips, 2, tokenizer), model, tmp_path / name) for name in "ab")
    assert len(first.Tags()["audio"]) == 2
    assert first.Tags()["audio"] == again.Tags()["audio"]


def test_nothing_is_noted_where_nothing_has_a_name(model, tokenizer, tmp_path):
    found = noted(Samples([clip(0, "no such label", "debian")], 2, tokenizer), model, tmp_path)
    assert not found.Tags()["audio"]
    assert not found.Tags()["tensors"]
