"""A teacher listens to each clip once, and tells of the places of a stretch what it heard there."""

from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.data.clips import ClipStore, Crops, Part, Sequences
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.mels import MelCrops, MelStore
from makesomenoise.data.teaching import Teacher
from makesomenoise.engine.ears import Ear
from makesomenoise.tokenizer.config import TokenizerConfig
from tests.engine.tiny_ears import write_onnx

RATE, WINDOW = 24_000, 2400


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    """A clip of a second that gets louder, ten windows long, and a quiet one of half a window."""
    (tmp_path / "clips").mkdir()
    rising = np.repeat(np.arange(1, 11) / 10, WINDOW).astype(np.float32)
    io.save(tmp_path / "clips" / "a.wav", rising, RATE)
    io.save(tmp_path / "clips" / "b.wav", np.full(WINDOW // 2, 0.5, np.float32), RATE)
    return ClipStore(read_clips([tmp_path / "clips"]), RATE)


@pytest.fixture
def teacher(store: ClipStore, tmp_path: Path) -> Teacher:
    return taught(store, tmp_path)


def taught(store: ClipStore, folder: Path) -> Teacher:
    """Its embedding is the magnitude of each half of a window, its probabilities are their negatives."""
    net = write_onnx(folder / "net.onnx", WINDOW, 2)
    ear = Ear.open(f"{net},sample_rate={RATE},window_samples={WINDOW},hop_samples={WINDOW},tensor=1,scores=0")
    teacher = Teacher(ear, store, folder / "taught")
    teacher.listen()
    return teacher


def test_each_place_is_told_what_was_heard_there(teacher: Teacher) -> None:
    parts = [Part(0, 0, 4 * WINDOW, 3 * WINDOW, 10 * WINDOW)]  # the fourth window to the seventh
    answers = teacher.answers(parts, 6, WINDOW)
    assert answers.shape == (6, 4)
    assert answers[:4, 0] == pytest.approx([0.4, 0.5, 0.6, 0.7], abs=2e-3)
    assert (answers[:4, 2:] == -answers[:4, :2]).all()
    assert np.isnan(answers[4:]).all()


def test_parts_at_other_rates_and_speeds_are_told_by_their_share_of_the_clip(teacher: Teacher) -> None:
    answers = teacher.answers([Part(1, 0, 5, 0, 5), Part(0, 5, 25, 0, 20)], 5, 5)
    assert answers[0, :2] == pytest.approx([0.5, 0.0], abs=2e-3)  # what is short is padded
    assert answers[1:, 0] == pytest.approx([0.2, 0.4, 0.7, 0.9], abs=2e-3)


def test_a_clip_is_listened_to_once(store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = taught(store, tmp_path).answers([Part(0, 0, 10, 0, 10)], 10, 1)
    monkeypatch.setattr(ClipStore, "waveform", lambda *_: pytest.fail("listened twice"))
    assert (taught(store, tmp_path).answers([Part(0, 0, 10, 0, 10)], 10, 1) == first).all()


def test_another_ear_is_asked_anew(store: ClipStore, teacher: Teacher, tmp_path: Path) -> None:
    settings = f"sample_rate={RATE},window_samples={WINDOW},hop_samples={WINDOW},tensor=0,scores=1"
    other = Teacher(Ear.open(f"{tmp_path / 'net.onnx'},{settings}"), store, tmp_path / "taught")
    other.listen()
    parts = [Part(0, 0, 10, 0, 10)]
    assert (other.answers(parts, 10, 1) == -teacher.answers(parts, 10, 1)).all()


def test_the_teacher_is_known_by_its_file(teacher: Teacher) -> None:
    assert teacher.embedding == 2
    assert teacher.record.name == "net"
    assert len(teacher.record.sha256) == 64


def test_crops_of_waveform_and_of_mel_carry_the_answers(store: ClipStore, teacher: Teacher) -> None:
    sequences, mel = Sequences(store.clips), TokenizerConfig().mel
    waveform = Crops(store, 2 * RATE, 1000, sequences, teacher=teacher)[0]
    assert waveform["taught"].shape == (48, 4)
    loud = waveform["waveform"].unflatten(0, (48, 1000))[:, 500]
    known = waveform["taught"][:, 0].isfinite()
    near = waveform["taught"][known, :2].amax(1)
    assert (near - loud[known]).abs().max() <= 0.11
    crop = MelCrops(MelStore(store, mel), mel, 128, 32, sequences, teacher=teacher)[0]
    assert crop["taught"].shape == (4, 4)
