"""Data sets of the Hub's layout become shards: captions together, groups apart, sounds byte for byte."""

from pathlib import Path

import pytest

from makesomenoise.audio import io
from makesomenoise.data.hub import PRESETS, Columns, HubError, prepare_hub
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.tar_shards import Held, ShardError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def sound(tmp_path: Path, tone) -> bytes:
    io.save(tmp_path / "sound.flac", tone(0.2))
    return (tmp_path / "sound.flac").read_bytes()


def local(folder: Path, rows: list[dict], split: str = "train", **features) -> str:
    """A data set as the Hub keeps it: Parquet files of encoded sounds."""
    made = datasets.Dataset.from_list(rows)
    made = made.cast(datasets.Features({**made.features, **features}))
    folder.mkdir(exist_ok=True)
    made.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return str(folder)


AUDIO = {"audio": datasets.Audio(decode=False)}


def test_esc50_keeps_labels_folds_and_bytes(tmp_path: Path, sound: bytes):
    rows = [
        {"filename": f"{n}.wav", "fold": n % 5 + 1, "category": "door_wood_knock", "src_file": n // 2}
        | {"audio": {"bytes": sound, "path": f"{n}.flac"}}
        for n in range(10)
    ]
    source = local(tmp_path / "esc50", rows, **AUDIO)
    done = prepare_hub(source, tmp_path / "out", columns=PRESETS["esc50"], held=Held(folds=("5",)))
    assert done.clips == {"train": 8, "valid": 2}
    clips = read_clips([tmp_path / "out"])
    assert {clip.key for clip in clips if clip.split == "valid"} == {"4_wav", "9_wav"}
    assert {(clip.dataset, clip.label, clip.fold) for clip in clips} == {
        ("esc50", "door wood knock", str(fold)) for fold in range(1, 6)
    }
    assert all(clip.read() == sound for clip in clips)
    assert io.load(tmp_path / "sound.flac").shape == (4800,)


def test_groups_are_never_torn(tmp_path: Path, sound: bytes):
    names = datasets.Features({"class": datasets.ClassLabel(names=["dog_bark", "siren"])})
    rows = [
        {"slice_file_name": f"{n}.wav", "fold": 1, "fsID": n // 4, "class": n % 2}
        | {"audio": {"bytes": sound, "path": f"{n}.flac"}}
        for n in range(80)
    ]
    source = local(tmp_path / "us8k", rows, **AUDIO, **names)
    prepare_hub(source, tmp_path / "out", columns=PRESETS["urbansound8k"], held=Held(share=0.3))
    clips = read_clips([tmp_path / "out"])
    groups = {split: {int(c.key[:-4]) // 4 for c in clips if c.split == split} for split in ("train", "valid")}
    assert not groups["train"] & groups["valid"]
    assert 2 <= len(groups["valid"]) <= 12
    assert {clip.label for clip in clips} == {"dog bark", "siren"}


def test_captions_of_one_clip_are_kept_apart_and_together(tmp_path: Path, sound: bytes):
    rows = [
        {"youtube_id": f"y{n % 3}", "caption": f"Caption {n}.", "audio": {"bytes": sound, "path": "a.flac"}}
        for n in range(15)
    ]
    source = local(tmp_path / "audiocaps", rows, "validation", **AUDIO)
    done = prepare_hub(source, tmp_path / "out", "validation", PRESETS["audiocaps"])
    assert (done.clips, done.captions) == ({"valid": 3}, 15)
    first = next(clip for clip in read_clips([tmp_path / "out"]) if clip.key == "y0")
    assert first.captions == tuple(f"Caption {n}." for n in (0, 3, 6, 9, 12))


def test_five_columns_of_captions_and_lists_of_labels(tmp_path: Path, sound: bytes):
    audio = {"bytes": sound, "path": "a.flac"}
    clotho = {"file_name": "a b.wav", "audio": audio} | {f"caption_{n}": f"It rains {n}." for n in range(1, 6)}
    prepare_hub(local(tmp_path / "clotho", [clotho], **AUDIO), tmp_path / "one", columns=PRESETS["clotho"])
    (clip,) = read_clips([tmp_path / "one"])
    assert (clip.key, len(clip.captions)) == ("a_b_wav", 5)
    fsd = {"fname": 64760, "labels": "Electric_guitar,Guitar,Music", "audio": audio}
    prepare_hub(local(tmp_path / "fsd", [fsd], "test", **AUDIO), tmp_path / "two", "test", PRESETS["fsd50k"])
    (clip,) = read_clips([tmp_path / "two"])
    assert (clip.key, clip.label, clip.title) == ("64760", "Electric guitar", "Electric guitar, Guitar, Music")
    assert clip.split == "test"


def test_a_second_call_changes_nothing_and_another_preparation_is_refused(tmp_path: Path, sound: bytes):
    rows = [{"n": 1, "audio": {"bytes": sound, "path": "a.flac"}}, {"n": 2, "audio": {"bytes": None, "path": None}}]
    source = local(tmp_path / "in", rows, **AUDIO)
    assert prepare_hub(source, tmp_path / "out").without_sound == ("00000001",)
    before = (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns
    assert prepare_hub(source, tmp_path / "out").clips == {"train": 1}
    assert (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns == before
    with pytest.raises(ShardError, match="prepared with other settings"):
        prepare_hub(source, tmp_path / "out", columns=Columns(key="n"))
    with pytest.raises(HubError, match="no column 'sound': it has audio, n"):
        prepare_hub(source, tmp_path / "other", columns=Columns(audio="sound"))
    with pytest.raises(HubError, match="Cannot open the split 'test'"):
        prepare_hub(source, tmp_path / "other", "test")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "a.tar").touch()
    with pytest.raises(ShardError, match="something else"):
        prepare_hub(source, tmp_path / "foreign")


def test_offline_a_set_that_is_not_here_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="Cannot open the split 'train' of nobody/nothing"):
        prepare_hub("nobody/nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
