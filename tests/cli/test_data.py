"""`msn data`: sound becomes shards, shards are counted, mistakes become one sentence."""

import http.server
import json
import threading
from pathlib import Path

import pytest

from makesomenoise.audio import io


@pytest.fixture
def folder(tmp_path: Path, tone) -> Path:
    for label, hz in (("dog", 400.0), ("rain", 200.0), ("siren", 800.0)):
        (tmp_path / "in" / label).mkdir(parents=True)
        io.save(tmp_path / "in" / label / "a.wav", 0.5 * tone(4.0, hz))
    return tmp_path / "in"


def test_it_explains_itself(msn):
    result = msn("data", "encode", "--help")
    assert result.exit_code == 0
    assert "data encode [OPTIONS]" in result.stdout


def test_a_folder_becomes_shards_and_a_second_call_does_nothing(msn, models, folder: Path, tmp_path: Path):
    from makesomenoise.data.codes import read_codes

    arguments = ("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    result = msn(*arguments)
    assert result.exit_code == 0, result.output
    assert "3 clips (0.00 h) encoded, 0 there before" in result.stdout
    assert [len(clip.codes) for clip in read_codes(tmp_path / "out")] == [94, 94, 94]
    assert "0 clips (0.00 h) encoded, 3 there before" in msn(*arguments).stdout


def test_several_sources_and_scenes(msn, models, folder: Path, tmp_path: Path):
    from makesomenoise.data.codes import read_codes

    options = (
        "--model",
        models.ours,
        "--workers",
        1,
        "--scenes",
        2,
        "--pairs",
        3,
        "--copies",
        1,
        "--seed",
        5,
        "--cache",
        tmp_path / "cache",
    )
    result = msn("data", "encode", folder, folder / "dog", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert "12 clips" in result.stdout
    assert sum(bool(clip.events) for clip in read_codes(tmp_path / "out")) == 2 + 3
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_encoded(msn, models, folder: Path, tmp_path: Path):
    (folder / "dog" / "bad.wav").write_text("words")
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "3 clips" in result.stdout
    assert "msn: Clip dog/bad" in result.stderr


def test_mistakes_are_one_sentence(msn, models, folder: Path, tmp_path: Path):
    result = msn("data", "encode", tmp_path / "missing", tmp_path / "out", "--model", models.ours)
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.baseline, "--workers", 1)
    assert result.exit_code == 2
    assert "holds codes of the tokenizer" in result.stderr
    assert "Traceback" not in result.stderr


def test_shards_are_counted(msn, models, folder: Path, tmp_path: Path, tone):
    (folder / "rain" / "bad.wav").write_text("words")
    io.save(folder / "rain" / "same.wav", 0.5 * tone(4.0, 200.0))
    msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--workers", 1)
    told = msn("data", "stats", tmp_path / "out")
    assert told.exit_code == 0, told.output
    assert "1 failed, 0 rows repeat the id of another, 1 clips have the codes of another" in told.stdout
    found = json.loads(msn("data", "stats", tmp_path / "out", "--json").stdout)
    assert (found["shards"], found["failures"], found["repeated_ids"], found["equal_codes"]) == (3, 1, 0, 1)
    assert found["total"]["clips"] == 4
    assert found["total"]["hours"] == pytest.approx(16 / 3600)
    assert found["total"]["codes"] == 4 * 94
    assert 1.0 <= found["total"]["perplexity"] <= found["total"]["codes_used"] <= 1024
    assert [one["name"] for one in found["sources"]] == ["in"]


def test_shards_of_two_tokenizers_are_not_counted_together(msn, models, folder: Path, tmp_path: Path):
    for name, model in (("dog", models.ours), ("rain", models.baseline)):
        msn("data", "encode", folder / name, tmp_path / name, "--model", model, "--workers", 1)
    (tmp_path / "rain" / "rain-000.parquet").rename(tmp_path / "dog" / "rain-000.parquet")
    result = msn("data", "stats", tmp_path / "dog")
    assert result.exit_code == 2
    assert "holds codes of the tokenizer" in result.stderr
    assert msn("data", "stats", tmp_path / "nothing").exit_code == 2


def test_codes_of_another_corpus_are_not_written_over(msn, models, folder: Path, tmp_path: Path, tone):
    other = tmp_path / "other" / "dog"
    other.mkdir(parents=True)
    io.save(other / "b.wav", tone(1.0))
    msn("data", "encode", folder / "dog", tmp_path / "out", "--model", models.ours, "--workers", 1)
    result = msn("data", "encode", other, tmp_path / "out", "--model", models.ours, "--workers", 1)
    assert result.exit_code == 2
    assert "give each corpus a folder of its own" in result.stderr
    assert "3 failed" not in result.output


def test_a_cluster_that_cannot_be_used_is_one_sentence(msn, models, folder: Path, tmp_path: Path, monkeypatch):
    pytest.importorskip("ray")
    import ray

    for address, words in (("127.0.0.1:9", "No Ray cluster answers at"), ("nonsense", "no address of a Ray cluster")):
        result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--ray", address)
        assert result.exit_code == 2
        assert words in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1

    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{other.server_port}"
        result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--ray", address)
        other.shutdown()
    assert result.exit_code == 2
    assert f"What answers at {address} is no Ray cluster" in result.stderr

    def refused(**_):
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.11.9")

    monkeypatch.setattr(ray, "init", refused)
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--ray", "auto")
    assert result.exit_code == 2
    assert "runs another version than this machine" in result.stderr

    def slow(**_):
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr(ray, "init", slow)
    result = msn("data", "encode", folder, tmp_path / "out", "--model", models.ours, "--ray")
    assert result.exit_code == 2
    assert "Ray does not start on this machine (The current node timed out during startup)" in result.stderr


@pytest.mark.parametrize("address", ["memory://nothing/here.tar", "nonsense://x/y.tar", "s3://bucket/x.tar"])
def test_an_address_that_gives_nothing_is_one_sentence(msn, models, tmp_path: Path, address: str):
    result = msn("data", "encode", address, tmp_path / "out", "--model", models.ours)
    assert result.exit_code == 2
    assert address in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_data_set_is_prepared_and_its_codes_are_published_in_a_dry_run(msn, models, tmp_path: Path, tone):
    datasets = pytest.importorskip("datasets")
    io.save(tmp_path / "a.flac", tone(1.0))
    sound = {"bytes": (tmp_path / "a.flac").read_bytes(), "path": "a.flac"}
    made = datasets.Dataset.from_list([{"name": "dog", "place": 2, "audio": sound}])
    made = made.cast(datasets.Features({**made.features, "audio": datasets.Audio(decode=False)}))
    (tmp_path / "set").mkdir()
    made.to_parquet(tmp_path / "set" / "train-00000-of-00001.parquet")
    columns = ("--label", "name", "--fold", "place", "--valid-folds", "2")
    result = msn("data", "prepare", "hub", tmp_path / "set", tmp_path / "corpus", *columns)
    assert result.exit_code == 0, result.output
    assert "1 valid clips with 0 captions in 1 shards" in result.stdout
    msn("data", "encode", tmp_path / "corpus", tmp_path / "codes", "--model", models.ours, "--workers", 1)
    told = msn("data", "push", tmp_path / "codes", "me/codes", "--split", "valid", "--dry-run")
    assert told.exit_code == 0, told.output
    assert "me/codes/data/valid/valid-00000-000.parquet" in told.stdout
    assert "nothing was sent" in told.stdout
    assert "| all | 1 |" in told.stdout
    assert "- not stated: 1 clips" in told.stdout
    result = msn("data", "push", tmp_path / "codes", "codes", "--dry-run")
    assert (result.exit_code, "give OWNER/NAME" in result.stderr) == (2, True)
    result = msn("data", "push", tmp_path / "codes", "me/codes")  # tests have no network
    assert result.exit_code == 2
    assert "Cannot publish me/codes" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    result = msn("data", "prepare", "hub", tmp_path / "set", tmp_path / "corpus", "--preset", "esc51")
    assert (result.exit_code, "unknown preset" in result.stderr) == (2, True)


def test_sounds_of_ones_own_and_simple_ones_become_shards(msn, folder: Path, tmp_path: Path):
    from makesomenoise.data.manifest import read_clips

    told = msn("data", "prepare", "folder", folder, tmp_path / "own", "--license", "CC0", "--trust", "exact")
    assert told.exit_code == 0, told.output
    assert "3 train clips with 0 captions in 1 shards" in told.stdout
    assert {(clip.label, clip.license, clip.trust) for clip in read_clips([tmp_path / "own"])} == {
        ("dog", "CC0", "exact"),
        ("rain", "CC0", "exact"),
        ("siren", "CC0", "exact"),
    }
    told = msn("data", "prepare", "simple", tmp_path / "simple", "--count", 8)
    assert told.exit_code == 0, told.output
    assert len(read_clips([tmp_path / "simple"])) == 8


def test_data_sets_that_are_not_there_are_one_sentence(msn, folder: Path, tmp_path: Path):
    for name, source, words in (
        ("esc50", tmp_path / "ESC-50-master.zip", "does not exist: give the folder or the archive"),
        ("clotho", folder, "is not clotho: it has none of the tables"),
        ("debian", "--package", "has no package"),
    ):
        given = ("--package", "no-such-package") if name == "debian" else (source,)
        told = msn("data", "prepare", name, *given, tmp_path / "out")
        assert told.exit_code == 2
        assert words in told.stderr
        assert "Traceback" not in told.stderr
    assert not (tmp_path / "out").exists()


def test_what_is_in_both_is_named_and_left_out(msn, models, folder: Path, tmp_path: Path):
    import numpy as np

    from makesomenoise.data.codes import read_codes

    rng = np.random.default_rng(0)
    burst = np.concatenate([rng.standard_normal(2400) * rng.random() for _ in range(30)]).astype(np.float32)
    io.save(folder / "dog" / "b.wav", 0.1 * burst)
    (tmp_path / "other").mkdir()
    io.save(tmp_path / "other" / "copy.wav", 0.05 * burst[5000:])
    told = msn("data", "overlap", folder, tmp_path / "other", "--keys", tmp_path / "keys.txt")
    assert told.exit_code == 0, told.output
    assert f"1 clips of {folder} are in {tmp_path / 'other'}." in told.stdout
    assert (tmp_path / "keys.txt").read_text() == "dog/b\n"
    (document,) = map(json.loads, msn("data", "overlap", folder, tmp_path / "other", "--json").stdout.splitlines())
    assert (document["first"], document["second"]) == ("dog/b", "copy")
    options = ("--model", models.ours, "--workers", 1, "--leave-out", tmp_path / "keys.txt")
    assert msn("data", "encode", folder, tmp_path / "out", *options).exit_code == 0
    assert {clip.key for clip in read_codes(tmp_path / "out")} == {"dog/a", "rain/a", "siren/a"}
    told = msn("data", "encode", folder, tmp_path / "out", "--leave-out", tmp_path / "nothing")
    assert told.exit_code == 2
    assert "cannot be read" in told.stderr
