"""Crops depend on their number alone, have the length and labels they claim, and never leave [-1, 1]."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data import clips
from makesomenoise.data.clips import NO_LABEL, AugmentConfig, ClipStore, Crops, Sequences, frequent_labels
from makesomenoise.data.clips import decode as clips_decode
from makesomenoise.data.manifest import Clip, read_clips

UNIT = 1000
CROP = 24_000


@pytest.fixture
def store(tmp_path: Path, tone) -> ClipStore:
    """Five clips of 0.4 to 2 s, tones of different pitch, labelled low or high."""
    for number, seconds in enumerate((0.4, 0.8, 1.2, 1.6, 2.0)):
        folder = tmp_path / "clips" / ("low" if number < 3 else "high")
        folder.mkdir(parents=True, exist_ok=True)
        io.save(folder / f"{number}.flac", tone(seconds, 200.0 * (number + 1)))
    clips = [replace(clip, seconds=1.0) for clip in read_clips([tmp_path / "clips"])]
    return ClipStore(clips, 24_000)


def crops(store: ClipStore, **settings) -> Crops:
    return Crops(store, CROP, UNIT, Sequences(store.clips, ["high", "low"]), **settings)


def test_a_crop_is_as_long_as_asked_and_labelled_by_code(store: ClipStore):
    for number in range(20):
        example = crops(store)[number]
        assert example["waveform"].shape == (CROP,)
        assert example["waveform"].dtype == torch.float32
        assert example["labels"].shape == (CROP // UNIT,)
        assert set(example["labels"].tolist()) <= {NO_LABEL, 0, 1}


def test_labels_follow_the_sound(store: ClipStore):
    for number in range(20):
        example = crops(store)[number]
        for label, part in zip(example["labels"], example["waveform"].split(UNIT), strict=True):
            if label == NO_LABEL:
                continue
            pitch = 24 * int(torch.fft.rfft(part).abs().argmax())
            if part.abs().min() > 0 and part.abs().mean() > 0.3:
                assert (pitch > 700) == (label == 0)


def test_where_nothing_sounds_is_told(store: ClipStore):
    plain = Crops(store, CROP, UNIT, Sequences(store.clips[:1]))  # 0.4 s, so that a crop of 1 s has gaps
    for number in range(10):
        example = plain[number]
        for sounding, part in zip(example["sounding"], example["waveform"].split(UNIT), strict=True):
            assert bool(sounding) == bool(part.any())
    mixed = Crops(store, CROP, UNIT, Sequences(store.clips[:1]), AugmentConfig(mix_probability=1.0))
    for number in range(10):
        example = mixed[number]
        for sounding, part in zip(example["sounding"], example["waveform"].split(UNIT), strict=True):
            assert sounding or part.abs().max() < 0.05  # the filter of the tilt reaches a little further


def test_speed_moves_the_pitch_within_its_bound(store: ClipStore):
    store = ClipStore(store.clips[-1:], 24_000)  # 2 s of one tone
    still = AugmentConfig(gain_db=0.0, mix_probability=0.0, tilt_db=0.0)
    sped = still.model_copy(update={"speed_probability": 1.0, "speed_octaves": 0.5})
    (hz,) = {_pitch(Crops(store, CROP, UNIT, Sequences(store.clips), still)[n]["waveform"]) for n in range(3)}
    moved = [_pitch(Crops(store, CROP, UNIT, Sequences(store.clips), sped)[n]["waveform"]) / hz for n in range(20)]
    assert min(moved) < 0.85
    assert max(moved) > 1.15
    assert 2**-0.51 < min(moved) < max(moved) < 2**0.51


def _pitch(waveform: torch.Tensor) -> int:
    return int(torch.fft.rfft(waveform).abs().argmax())


def test_a_crop_depends_on_seed_and_number_alone(store: ClipStore):
    settings = {"augment": AugmentConfig(mix_probability=1.0)}
    first = [crops(store, seed=1, **settings)[n]["waveform"] for n in (0, 1, 2)]
    again = [crops(store, seed=1, **settings)[n]["waveform"] for n in (2, 1, 0)]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(again), strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], crops(store, seed=2, **settings)[0]["waveform"])


def test_augmented_crops_stay_within_range_and_in_place(store: ClipStore):
    augment = AugmentConfig(gain_db=30.0, mix_probability=1.0, tilt_db=12.0)
    for number in range(10):
        plain, varied = crops(store)[number], crops(store, augment=augment)[number]
        assert varied["waveform"].abs().max() <= 1.0 + 1e-6
        assert torch.equal(plain["labels"], varied["labels"])


def test_a_tilt_changes_the_balance_and_not_the_length(store: ClipStore):
    augment = AugmentConfig(gain_db=0.0, mix_probability=0.0, tilt_db=12.0)
    plain, tilted = crops(store)[0]["waveform"], crops(store, augment=augment)[0]["waveform"]
    assert plain.shape == tilted.shape
    assert not torch.equal(plain, tilted)


def test_without_a_cache_only_the_last_clips_are_kept(store: ClipStore, monkeypatch: pytest.MonkeyPatch):
    decoded = []
    monkeypatch.setattr(clips, "decode", lambda clip, rate: decoded.append(clip.key) or clips_decode(clip, rate))
    small = ClipStore(store.clips, 24_000, memory=4 * 48_000)  # 4 s
    for number in (0, 1, 2, 1, 2, 3, 4, 0):  # 0.4, 0.8, 1.2, ..., 2.0 s: the last makes the first three go
        assert np.array_equal(small.waveform(number), store.waveform(number))
    keys = [clip.key for clip in store.clips]
    assert [decoded.count(key) for key in keys] == [3, 2, 2, 2, 2]  # once by `store`


def test_decoded_clips_are_kept_on_disk_and_equal(store: ClipStore, tmp_path: Path):
    cache = tmp_path / "cache"
    first = ClipStore(store.clips, 24_000, cache).waveform(2)
    assert [path.suffix for path in cache.iterdir()] == [".npy"]
    assert np.array_equal(first, store.waveform(2))
    store.clips[2].path.write_bytes(b"gone")
    assert np.array_equal(ClipStore(store.clips, 24_000, cache).waveform(2), first)


def test_a_crop_shorter_than_any_gap_holds_sound(store: ClipStore):
    short = Crops(store, 1000, UNIT, Sequences(store.clips))
    assert all(short[number]["waveform"].abs().max() > 0.1 for number in range(10))


def test_a_dataset_gets_its_share(store: ClipStore):
    clips = [replace(clip, dataset="rare" if number == 0 else "rest") for number, clip in enumerate(store.clips)]
    rng, counts = np.random.default_rng(0), np.zeros(5)
    sequences = Sequences(clips, shares={"rare": 0.6, "absent": 0.3})
    for _ in range(500):
        counts[sequences._draw(rng)] += 1
    assert counts[0] / counts.sum() == pytest.approx(0.6, abs=0.06)
    assert counts[1:].min() > 30


def test_labels_count_when_they_are_frequent():
    clips = [Clip(str(n), Path(), 0, 0, label=label) for n, label in enumerate(["b", "a", "b", "a", "c", ""])]
    assert frequent_labels(clips, 2) == ["a", "b"]
    assert frequent_labels(clips, 3) == []


def test_bad_sound_in_a_corpus_is_an_audio_error(tmp_path: Path):
    (tmp_path / "bad.wav").write_bytes(b"words")
    with pytest.raises(io.AudioError, match="not a sound file of a known kind"):
        ClipStore(read_clips([tmp_path]), 24_000).waveform(0)


def test_what_can_be_read_of_a_truncated_clip_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    noise = torch.rand(24_000 * 30, generator=torch.Generator().manual_seed(0)) - 0.5
    path = tmp_path / "clips" / "long.flac"
    path.parent.mkdir()
    io.save(path, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    waveform = ClipStore([Clip("long", path, 0, path.stat().st_size)], 24_000).waveform(0)
    assert 24_000 * 10 <= len(waveform) <= 24_000 * 15
    assert np.abs(waveform - noise[: len(waveform)].numpy()).max() < 1e-3
    assert "clip long" in caplog.text


def test_a_clip_of_which_nothing_can_be_read_is_named(tmp_path: Path):
    path = tmp_path / "noise.wav"
    path.write_text("no sound")
    with pytest.raises(io.AudioError, match="Clip broken: "):
        ClipStore([Clip("broken", path, 0, 8)], 24_000).waveform(0)
