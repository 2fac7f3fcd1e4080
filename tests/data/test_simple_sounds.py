"""Sounds made by formulas are what their labels say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.ontology import default_ontology
from makesomenoise.data.simple_sounds import SimpleSound, prepare_simple, simple_sound
from makesomenoise.data.tar_shards import ShardError

RATE = 24_000


@pytest.fixture(scope="module")
def sounds() -> list[SimpleSound]:
    return [simple_sound(number, 0, RATE) for number in range(96)]


def peak_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.fft.rfftfreq(len(waveform), 1 / RATE)[spectrum.argmax()])


def test_every_kind_has_a_name_that_can_be_said(sounds: list[SimpleSound]):
    labels = Counter(sound.label for sound in sounds)
    assert len(labels) >= 12
    assert all(label in default_ontology().names for label in labels)
    assert all(np.abs(sound.waveform).max() <= 1.0 and 1.0 <= len(sound.waveform) / RATE <= 4.0 for sound in sounds)


def test_tones_have_the_pitch_that_is_told(sounds: list[SimpleSound]):
    tones = [sound for sound in sounds if sound.label in ("tone", "low tone", "high tone")]
    for sound in tones:
        hz = peak_hz(sound.waveform)
        assert f"{hz:.0f}" == sound.title.split()[-2] or abs(hz - float(sound.title.split()[-2])) < 2.0
        assert sound.label == ("low tone" if hz < 250 else "high tone" if hz > 2000 else "tone")


def test_sweeps_go_the_way_that_is_told(sounds: list[SimpleSound]):
    for sound in sounds:
        if sound.label in ("rising tone", "falling tone"):
            tenth = len(sound.waveform) // 10
            first, last = peak_hz(sound.waveform[:tenth]), peak_hz(sound.waveform[-tenth:])
            assert (last > first) == (sound.label == "rising tone")


def test_noises_have_their_colour_and_silence_is_silent():
    found: dict[str, float] = {}
    for number in range(400):
        sound = simple_sound(number, 1, RATE)
        power = np.abs(np.fft.rfft(sound.waveform)) ** 2
        if sound.label.endswith("noise"):
            low, high = power[: len(power) // 8].mean(), power[len(power) // 2 :].mean()
            found[sound.label] = 10.0 * np.log10(high / low)
        if sound.label == "silence":
            assert np.sqrt(np.mean(np.square(sound.waveform))) < 1e-4
    order = sorted(found, key=lambda name: found[name])
    assert order == ["brown noise", "pink noise", "white noise", "blue noise"]
    assert abs(found["white noise"]) < 1.0


def test_they_are_written_as_shards_once(tmp_path: Path):
    assert prepare_simple(tmp_path / "out", 9, seed=2) == 1
    clips = read_clips([tmp_path / "out"])
    assert [clip.key for clip in clips][:2] == ["simple-2-000000", "simple-2-000001"]
    assert {(clip.dataset, clip.split, clip.trust, clip.license) for clip in clips} == {
        ("simple", "train", "exact", "CC0-1.0")
    }
    expected = simple_sound(3, 2, RATE)
    assert np.allclose(io.load(clips[3].read()), expected.waveform, atol=1e-4)
    assert (clips[3].label, clips[3].title) == (expected.label, expected.title)
    with pytest.raises(ShardError, match="prepared with other settings"):
        prepare_simple(tmp_path / "out", 9, seed=3)
