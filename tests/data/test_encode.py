"""Shards hold the codes that the tokenizer gives; what is done is not done again; what cannot be done is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data import jobs
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import Stamp, read_codes, read_stamp
from makesomenoise.data.encode import EncodeError, Workers, encode_corpus
from makesomenoise.data.jobs import Added
from makesomenoise.data.manifest import Clip, ManifestError, read_clips
from makesomenoise.data.ontology import default_ontology
from makesomenoise.data.scenes import SceneError, SceneMaker
from makesomenoise.tokenizer.model import AudioTokenizer


@pytest.fixture
def model(tiny_tokenizers: tuple[Path, Path]) -> Path:
    return tiny_tokenizers[0]


def test_every_clip_is_encoded_as_the_tokenizer_does(sounds: Path, model: Path, tmp_path: Path):
    done = encode_corpus([sounds], tmp_path / "codes", model)
    tokenizer = AudioTokenizer.load(model, vocoder="griffin-lim")
    clips = read_codes(tmp_path / "codes", fingerprint=tokenizer.fingerprint)
    assert (done.clips, done.kept, done.failed) == (7, 0, ())
    assert done.seconds == pytest.approx(3 * 2.0 + 4 * 6.0)
    assert {clip.label for clip in clips} == {"dog", "gun shot", "cat", "rain", "siren", "engine", "speech"}
    for clip in clips:
        expected = tokenizer.encode(io.load(sounds / f"{clip.key}.flac")[None])[0]
        assert len(clip.codes) == len(expected)
        assert np.mean(np.array(clip.codes) == expected) > 0.9  # 16 bits of a clip are kept, not 32
        assert clip.seconds == pytest.approx(len(io.load(sounds / f"{clip.key}.flac")) / 24_000)
    assert read_stamp(tmp_path / "codes").code_rate == tokenizer.code_rate


def test_what_records_say_is_kept(sounds: Path, model: Path, tmp_path: Path):
    record = {"label": "dog", "fold": 3, "split": "valid", "captions": ["A dog barks."], "license": "CC0"}
    (sounds / "dog" / "dog.json").write_text(json.dumps(record))
    encode_corpus([sounds / "dog"], tmp_path / "codes", model)
    (clip,) = read_codes(tmp_path / "codes")
    assert (clip.fold, clip.split, clip.captions, clip.license) == ("3", "valid", ("A dog barks.",), "CC0")
    (sounds / "dog" / "dog.json").write_text(json.dumps(record | {"split": "train"}))
    assert encode_corpus([sounds / "dog"], tmp_path / "codes", model).clips == 1  # it changed
    assert read_codes(tmp_path / "codes")[0].split == "train"


def test_the_stamp_of_what_was_encoded_stays_that_of_shards_of_before():
    told = {"dataset": "esc50", "fold": "3", "kind": "animal", "label": "dog", "title": "A dog", "split": "train"}
    clip = Clip("dog-1", Path("a.tar"), 512, 99, seconds=2.5, captions=("One.", "Two."), license="CC0", **told)
    (job,) = jobs.parts_of([clip], "a", Path("codes"), Stamp("0" * 16, 1024, 23.4375))
    assert job.stamp.made_from == "bb866454ed3b9fce"


def test_silence_is_marked(sounds: Path, model: Path, tmp_path: Path):
    encode_corpus([sounds / "dog", sounds / "rain"], tmp_path / "codes", model)
    dog, rain = sorted(read_codes(tmp_path / "codes"), key=lambda clip: clip.key)
    assert dog.sounding == pytest.approx((0.5, 0.7), abs=0.011)
    assert rain.sounding == (0.0, 6.0)


def test_scenes_are_those_of_their_numbers(sounds: Path, model: Path, tmp_path: Path):
    done = encode_corpus([sounds], tmp_path / "codes", model, added=Added(scenes=5, seed=3))
    scenes = [clip for clip in read_codes(tmp_path / "codes") if clip.events]
    assert done.clips == 7 + 5
    assert [clip.key for clip in scenes] == [f"scenes-3-{number}" for number in range(5)]
    maker = SceneMaker(ClipStore(read_clips([sounds]), 24_000), default_ontology())
    for number, clip in enumerate(scenes):
        made = maker.make(np.random.default_rng([3, number]))
        assert clip.events == made.events
        assert clip.seconds == len(made.waveform) / 24_000
        assert clip.title


def test_pairs_have_numbers_of_their_own(sounds: Path, model: Path, tmp_path: Path):
    done = encode_corpus([sounds], tmp_path / "codes", model, added=Added(scenes=1, pairs=2, seed=3))
    made = {clip.key: clip for clip in read_codes(tmp_path / "codes") if clip.events}
    assert done.clips == 7 + 3
    assert set(made) == {"scenes-3-0", "pairs-3-0", "pairs-3-1"}
    maker = SceneMaker(ClipStore(read_clips([sounds]), 24_000), default_ontology())
    for number in range(2):
        clip = made[f"pairs-3-{number}"]
        assert clip.events == maker.pair(np.random.default_rng([3, number])).events
        assert clip.dataset == "scenes"


def test_copies_are_other_takes_of_trusted_clips(sounds: Path, model: Path, tmp_path: Path, tone):
    (sounds / "20201109").mkdir()
    io.save(sounds / "20201109" / "unnamed.wav", tone(1.0))
    done = encode_corpus([sounds], tmp_path / "codes", model, added=Added(copies=2, seed=4))
    clips = {clip.key: clip for clip in read_codes(tmp_path / "codes")}
    assert done.clips == len(clips) == 8 + 2 * 7
    dog, first, second = (clips[f"dog/dog{ending}"] for ending in ("", "~4-1", "~4-2"))
    assert dog.label == first.label == second.label == "dog"
    assert len({dog.codes, first.codes, second.codes}) == 3


def test_what_is_done_is_not_done_again(sounds: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "_JOB_CLIPS", 3)
    encode_corpus([sounds], tmp_path / "codes", model, added=Added(scenes=2))
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()}
    assert len(times) == 8  # seven folders of one clip, and the scenes
    (tmp_path / "codes" / "dog-000.parquet").unlink()
    reported = []
    done = encode_corpus(
        [sounds],
        tmp_path / "codes",
        model,
        added=Added(scenes=2),
        report=lambda done, total: reported.append((done, total)),
    )
    assert (done.clips, done.kept) == (1, 8)
    assert reported == [(9, 9)]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "codes").iterdir()}
    assert {name for name in times if times[name] != after[name]} == {"dog-000.parquet"}


def test_what_changed_is_done_again(sounds: Path, model: Path, tmp_path: Path, tone):
    encode_corpus([sounds / "dog"], tmp_path / "codes", model)
    io.save(sounds / "dog" / "second.flac", tone(1.0))
    assert encode_corpus([sounds / "dog"], tmp_path / "codes", model).clips == 2
    assert len(read_codes(tmp_path / "codes")) == 2


def test_what_is_no_longer_there_goes(sounds: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "_JOB_CLIPS", 2)
    for count in (5, 3):
        encode_corpus([sounds], tmp_path / "codes", model, added=Added(scenes=count))
        assert len([clip for clip in read_codes(tmp_path / "codes") if clip.events]) == count
    encode_corpus([sounds], tmp_path / "codes", model)
    assert len(read_codes(tmp_path / "codes")) == 7 + 3


@pytest.mark.slow
def test_processes_give_the_same(sounds: Path, model: Path, tmp_path: Path):
    for workers in (1, 2):
        encode_corpus([sounds], tmp_path / str(workers), model, Workers(workers), added=Added(scenes=3, copies=1))
    assert read_codes(tmp_path / "1") == read_codes(tmp_path / "2")


def test_a_clip_that_cannot_be_read_is_left_out_and_named(sounds: Path, model: Path, tmp_path: Path):
    (sounds / "dog" / "bad.wav").write_text("just words")
    done = encode_corpus([sounds / "dog"], tmp_path / "codes", model)
    assert done.clips == 1
    (failure,) = done.failed
    assert failure.id == "dog/bad"
    assert "bad" in failure.reason
    assert encode_corpus([sounds / "dog"], tmp_path / "codes", model).failed == done.failed  # told again
    assert [json.loads(line) for line in (tmp_path / "codes" / "failed.jsonl").read_text().splitlines()] == [
        {"id": failure.id, "reason": failure.reason}
    ]
    (sounds / "dog" / "bad.wav").unlink()
    assert encode_corpus([sounds / "dog"], tmp_path / "codes", model).failed == ()
    assert not (tmp_path / "codes" / "failed.jsonl").exists()


def test_folders_of_one_name_do_not_overwrite_each_other(sounds: Path, model: Path, tmp_path: Path, tone):
    (tmp_path / "more" / "dog").mkdir(parents=True)
    io.save(tmp_path / "more" / "dog" / "other.wav", tone(1.0))
    encode_corpus([sounds / "dog", tmp_path / "more" / "dog"], tmp_path / "codes", model)
    assert {clip.key for clip in read_codes(tmp_path / "codes")} == {"dog", "other"}


def test_codes_of_two_tokenizers_are_kept_apart(sounds: Path, tiny_tokenizers: tuple[Path, Path], tmp_path: Path):
    encode_corpus([sounds / "dog"], tmp_path / "codes", tiny_tokenizers[0])
    before = read_codes(tmp_path / "codes")
    with pytest.raises(EncodeError, match="give an empty folder"):
        encode_corpus([sounds / "cat"], tmp_path / "codes", tiny_tokenizers[1])
    assert read_codes(tmp_path / "codes") == before


def test_what_cannot_be_done_leaves_nothing_behind(sounds: Path, model: Path, tmp_path: Path):
    with pytest.raises(ManifestError, match="does not exist"):
        encode_corpus([tmp_path / "missing"], tmp_path / "codes", model)
    with pytest.raises(SceneError, match="at least three different sounds"):
        encode_corpus([sounds / "dog"], tmp_path / "codes", model, added=Added(scenes=1))
    assert not (tmp_path / "codes").exists()
    (tmp_path / "file").touch()
    with pytest.raises(EncodeError, match="is a file"):
        encode_corpus([sounds / "dog"], tmp_path / "file", model)


def test_codes_are_plain_integers(sounds: Path, model: Path, tmp_path: Path):
    encode_corpus([sounds / "dog"], tmp_path / "codes", model)
    (clip,) = read_codes(tmp_path / "codes")
    assert all(type(code) is int for code in clip.codes)
    assert torch.tensor(clip.codes).dtype == torch.int64
