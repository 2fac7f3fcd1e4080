"""Ray encodes as plain processes do, and either finishes what the other began."""

import json
from pathlib import Path

import pytest

from makesomenoise.data.codes import read_codes, read_failures
from makesomenoise.data.encode import Workers, encode_corpus
from makesomenoise.data.jobs import Added

pytest.importorskip("ray")


@pytest.mark.slow
def test_actors_that_may_die_finish_what_one_process_began_and_give_the_same(
    sounds: Path,
    tiny_tokenizers: tuple[Path, Path],
    tmp_path: Path,
    dying: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in dying.items():  # an actor is killed before it names its first shard, and another goes on
        monkeypatch.setenv(name, value)
    (sounds / "20201109").mkdir()
    (sounds / "20201109" / "bad.wav").write_text("words")
    model, added = tiny_tokenizers[0], Added(scenes=2, pairs=1, copies=1)
    whole, shared, team = tmp_path / "whole", tmp_path / "shared", Workers(2, ray="local")
    encode_corpus([sounds], whole, model, added=added)
    shared.mkdir()
    for name in ("cat-000.parquet", "dog-000.parquet", "scenes-0-000.parquet"):
        (shared / name).write_bytes((whole / name).read_bytes())  # as far as one process came
    done = encode_corpus([sounds], shared, model, team, added)
    assert Path(dying["DIE_ONCE"]).exists()
    assert done.kept == 1 + 1 + 2
    assert read_codes(shared) == read_codes(whole)
    keys = [(path.stem, clip.key) for path in sorted(shared.glob("*.parquet")) for clip in read_codes(path)]
    named = [json.loads(line)["id"] for line in (shared / "failed.jsonl").read_text().splitlines()]
    assert named == ["20201109/20201109/bad"]
    assert len(keys) == len(set(keys)) == done.clips + done.kept
    assert set(named) == {one.id for path in whole.glob("*.parquet") for one in read_failures(path)}
    assert encode_corpus([sounds], shared, model, added=added).clips == 0  # and the other way round
