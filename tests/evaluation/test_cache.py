"""What was measured stays measured; what depends on something else, or on other code, is measured again."""

import json
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.evaluation import cache as cache_module
from makesomenoise.evaluation.cache import Measurement, ResultCache

SHARE = Measurement("share", version="1")


def test_a_result_is_measured_once(tmp_path: Path):
    calls = []
    for _ in range(2):
        found = ResultCache(tmp_path / "new", "a").get(SHARE, [1], lambda: calls.append(1) or {"share": 0.5})
        assert found == {"share": 0.5}
    assert calls == [1]
    ResultCache(tmp_path / "new", "b").get(SHARE, [1], lambda: calls.append(2) or {})
    ResultCache(tmp_path / "new", "a").get(SHARE, [2], lambda: calls.append(3) or {})
    ResultCache(tmp_path / "new", "a").get(SHARE.of("esc50"), [1], lambda: calls.append(4) or {})
    assert calls == [1, 2, 3, 4]


def test_another_version_of_the_code_measures_again(tmp_path: Path):
    assert ResultCache(tmp_path).get(SHARE, None, lambda: 1) == 1
    assert ResultCache(tmp_path).get(Measurement("share", version="2"), None, lambda: 2) == 2
    assert ResultCache(tmp_path).get(SHARE, None, lambda: 3) == 1


def test_a_fresh_cache_measures_once_more_and_keeps_it(tmp_path: Path):
    def measured(fresh: bool, value: int) -> tuple:
        cache = ResultCache(tmp_path, fresh=fresh)
        first = cache.get(SHARE, None, lambda: value)
        assert cache.get(SHARE, None, lambda: -1) == first
        arrays = cache.arrays(SHARE, None, lambda: {"a": np.full(2, value)})
        return first, cache.map(SHARE, "items", [1, 2], lambda some: [value] * len(some)), arrays["a"].tolist()

    assert measured(False, 1) == (1, [1, 1], [1, 1])
    assert measured(True, 2) == (2, [2, 2], [2, 2])
    assert measured(False, 3) == (2, [2, 2], [2, 2])


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache_module, "_SECONDS_BETWEEN_WRITES", -1.0)
    asked = []

    def doubled(some):
        asked.extend(some)
        if 4 in some and len(asked) < 6:
            raise KeyboardInterrupt
        return [2 * number for number in some]

    with pytest.raises(KeyboardInterrupt):
        ResultCache(tmp_path, "a").map(SHARE, None, [1, 2, 3, 4, 5], doubled, batch_size=2)
    assert ResultCache(tmp_path, "a").map(SHARE, None, [1, 2, 3, 4, 5], doubled, batch_size=2) == [2, 4, 6, 8, 10]
    assert asked == [1, 2, 3, 4, 3, 4, 5]


def test_results_say_which_version_and_commits_made_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cache_module, "_SECONDS_BETWEEN_WRITES", -1.0)
    monkeypatch.setattr(cache_module, "source_commit", lambda: "aaaa")

    def interrupted(some: list) -> list:
        if 2 in some:
            raise KeyboardInterrupt
        return some

    first = ResultCache(tmp_path)
    first.get(SHARE, None, lambda: 1)
    first.arrays(SHARE.of("arrays"), None, lambda: {"a": np.zeros(1)})
    with pytest.raises(KeyboardInterrupt):
        first.map(SHARE.of("each"), None, [1, 2], interrupted)
    monkeypatch.setattr(cache_module, "source_commit", lambda: "bbbb")
    second = ResultCache(tmp_path)
    second.get(SHARE, None, lambda: pytest.fail("measured again"))
    second.arrays(SHARE.of("arrays"), None, lambda: pytest.fail("measured again"))
    second.map(SHARE.of("each"), None, [1, 2], list)
    second.get(SHARE.of("new"), None, lambda: 1)
    assert second.provenance == {
        "share": {"version": "1", "commits": ["aaaa"]},
        "share arrays": {"version": "1", "commits": ["aaaa"]},
        "share each": {"version": "1", "commits": ["aaaa", "bbbb"]},
        "share new": {"version": "1", "commits": ["bbbb"]},
    }
    (file,) = tmp_path.glob("share-each-*.json")
    assert json.loads(file.read_text()) == {
        "measurement": "share each",
        "version": "1",
        "commits": ["aaaa", "bbbb"],
        "result": [1, 2],
    }


def test_what_comes_back_is_what_json_makes_of_it(cache: ResultCache):
    first = cache.map(SHARE, None, [(1, 2)], list)
    assert first == cache.map(SHARE, None, [(1, 2)], lambda _: []) == [[1, 2]]
    assert cache.map(SHARE, "none", [], lambda _: pytest.fail("asked for nothing")) == []


def test_a_result_that_is_missing_is_an_error(cache: ResultCache):
    with pytest.raises(ValueError, match="2 results for 1"):
        cache.map(SHARE, None, [1], lambda _: [1, 2])
