"""Data sets in the layout that they are published in become shards with labels, captions, licence and splits."""

import csv
import shutil
import zipfile
from pathlib import Path

import pytest

from makesomenoise.audio import io
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.published_sets import PublishedSetError, prepare_published
from makesomenoise.data.tar_shards import Held


@pytest.fixture
def sound(tmp_path: Path, tone) -> Path:
    io.save(tmp_path / "sound.wav", tone(0.1))
    return tmp_path / "sound.wav"


def table(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def put(sound: Path, *places: Path) -> None:
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sound, place)


def esc50(root: Path, sound: Path, count: int = 6) -> Path:
    rows = [
        {"filename": f"{n % 5 + 1}-{n}-A.wav", "fold": n % 5 + 1, "category": "door_wood_knock", "src_file": n}
        for n in range(count)
    ]
    table(root / "ESC-50-master" / "meta" / "esc50.csv", rows)
    put(sound, *(root / "ESC-50-master" / "audio" / str(row["filename"]) for row in rows))
    return root


def test_esc50_from_an_archive_and_from_a_folder(sound: Path, tmp_path: Path):
    root = esc50(tmp_path / "in", sound)
    with zipfile.ZipFile(tmp_path / "ESC-50-master.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root))
    told: list[tuple[int, int]] = []
    done = prepare_published("esc50", root, tmp_path / "one", Held(("5",)), lambda now, all_: told.append((now, all_)))
    assert done.clips == {"train": 5, "valid": 1}
    assert told[-1] == (6, 6)
    prepare_published("esc50", tmp_path / "ESC-50-master.zip", tmp_path / "two", Held(("5",)))
    one, two = ({clip.key: clip for clip in read_clips([tmp_path / name])} for name in ("one", "two"))
    assert one.keys() == two.keys()
    first = one["1-0-A_wav"]
    assert (first.label, first.fold, first.trust, first.license) == ("door wood knock", "1", "exact", "CC-BY-NC-3.0")
    assert first.read() == two["1-0-A_wav"].read() == sound.read_bytes()


def test_a_second_call_writes_nothing_anew(sound: Path, tmp_path: Path):
    root = esc50(tmp_path / "in", sound)
    prepare_published("esc50", root, tmp_path / "out")
    before = (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns
    assert prepare_published("esc50", root, tmp_path / "out").clips == {"train": 6}
    assert (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns == before


def test_sounds_that_are_missing_are_named(sound: Path, tmp_path: Path):
    root = esc50(tmp_path / "in", sound)
    (root / "ESC-50-master" / "audio" / "1-0-A.wav").unlink()
    assert prepare_published("esc50", root, tmp_path / "out").without_sound == ("1-0-A_wav",)
    shutil.rmtree(root / "ESC-50-master" / "audio")
    with pytest.raises(PublishedSetError, match=r"none of the sounds that they name, such as audio/1-0-A\.wav"):
        prepare_published("esc50", root, tmp_path / "other")
    with pytest.raises(PublishedSetError, match="is not urbansound8k"):
        prepare_published("urbansound8k", root, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_urbansound8k_lies_in_folders_of_folds(sound: Path, tmp_path: Path):
    rows = [{"slice_file_name": f"{n}-1.wav", "fsID": n, "fold": n + 1, "class": "dog_bark"} for n in range(3)]
    table(tmp_path / "in" / "metadata" / "UrbanSound8K.csv", rows)
    put(sound, *(tmp_path / "in" / "audio" / f"fold{n + 1}" / f"{n}-1.wav" for n in range(3)))
    prepare_published("urbansound8k", tmp_path / "in", tmp_path / "out")
    assert {(clip.label, clip.fold) for clip in read_clips([tmp_path / "out"])} == {
        ("dog bark", "1"),
        ("dog bark", "2"),
        ("dog bark", "3"),
    }


def test_fsd50k_has_splits_of_its_own(sound: Path, tmp_path: Path):
    truth = tmp_path / "in" / "FSD50K.ground_truth"
    table(truth / "dev.csv", [
        {"fname": "64760", "labels": "Electric_guitar,Guitar,Music", "mids": "", "split": "train"},
        {"fname": "16399", "labels": "Bark", "mids": "", "split": "val"},
    ])  # fmt: skip
    table(truth / "eval.csv", [{"fname": "37199", "labels": "Rain", "mids": ""}])
    put(sound, *(tmp_path / "in" / "FSD50K.dev_audio" / f"{name}.wav" for name in ("64760", "16399")))
    put(sound, tmp_path / "in" / "FSD50K.eval_audio" / "37199.wav")
    prepare_published("fsd50k", tmp_path / "in", tmp_path / "out")
    clips = {clip.key: clip for clip in read_clips([tmp_path / "out"])}
    assert {key: clip.split for key, clip in clips.items()} == {"64760": "train", "16399": "valid", "37199": "test"}
    assert (clips["64760"].label, clips["64760"].title) == ("electric guitar", "Electric guitar, Guitar, Music")


def test_captions_licences_and_keywords_of_clotho(sound: Path, tmp_path: Path):
    root = tmp_path / "in"
    captions = {f"caption_{n}": f"Rain falls {n}." for n in range(1, 6)}
    table(root / "clotho_captions_evaluation.csv", [{"file_name": "Rain 1.wav", **captions}])
    details = {"file_name": "Rain 1.wav", "keywords": "rain;roof", "license": "CC0"}
    table(root / "clotho_metadata_evaluation.csv", [details])
    put(sound, root / "clotho_audio_evaluation" / "evaluation" / "Rain 1.wav")
    done = prepare_published("clotho", root, tmp_path / "out")
    (clip,) = read_clips([tmp_path / "out"])
    assert (clip.key, clip.split, clip.license, clip.title) == ("Rain_1_wav", "test", "CC0", "rain, roof")
    assert (done.captions, clip.captions[4]) == (5, "Rain falls 5.")


def test_rows_of_one_clip_of_audiocaps_are_one(sound: Path, tmp_path: Path):
    rows = [
        {"audiocap_id": n, "youtube_id": "rqfQRErjfk8", "start_time": 170, "caption": f"A crowd cheers {n}"}
        for n in range(5)
    ]
    table(tmp_path / "in" / "val.csv", rows)
    put(sound, tmp_path / "in" / "val" / "YrqfQRErjfk8.wav")
    done = prepare_published("audiocaps", tmp_path / "in", tmp_path / "out")
    assert (done.clips, done.captions) == ({"valid": 1}, 5)
