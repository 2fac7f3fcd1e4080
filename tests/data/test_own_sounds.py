"""A folder of one's own becomes shards that say licence and trust of every clip."""

import json
from pathlib import Path

import pytest

from makesomenoise.audio import io
from makesomenoise.data.manifest import ManifestError, read_clips
from makesomenoise.data.own_sounds import OwnSoundsError, Told, prepare_folder


@pytest.fixture
def sounds(tmp_path: Path, tone) -> Path:
    for name in ("dog/a.wav", "dog/b.c.wav", "heavy_rain/a.flac"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        io.save(tmp_path / "in" / name, tone(0.1))
    (tmp_path / "in" / "dog" / "a.json").write_text(json.dumps({"label": "puppy", "license": "CC0", "split": "test"}))
    return tmp_path / "in"


def test_every_clip_says_licence_and_trust(sounds: Path, tmp_path: Path):
    done = prepare_folder(sounds, tmp_path / "out", Told("mine", "CC-BY-4.0", "exact"))
    assert done.clips == {"train": 2, "test": 1}
    clips = {clip.key: clip for clip in read_clips([tmp_path / "out"])}
    assert set(clips) == {"dog-a", "dog-b_c", "heavy_rain-a"}
    assert {(clip.dataset, clip.trust) for clip in clips.values()} == {("mine", "exact")}
    assert (clips["dog-a"].label, clips["dog-a"].license, clips["dog-a"].split) == ("puppy", "CC0", "test")
    assert (clips["heavy_rain-a"].label, clips["heavy_rain-a"].license) == ("heavy rain", "CC-BY-4.0")
    assert clips["dog-b_c"].read() == (sounds / "dog" / "b.c.wav").read_bytes()


def test_mistakes_are_one_sentence(sounds: Path, tmp_path: Path):
    with pytest.raises(ManifestError, match="does not exist"):
        prepare_folder(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(OwnSoundsError, match="'sure' is no trust: give one of exact"):
        prepare_folder(sounds, tmp_path / "out", Told(trust="sure"))
    assert not (tmp_path / "out").exists()
