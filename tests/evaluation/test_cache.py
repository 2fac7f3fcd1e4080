"""What was found stays found, and what depends on something else is looked for again."""

from pathlib import Path

import pytest

from makesomenoise.evaluation.cache import Parts


def test_an_answer_is_found_once(tmp_path: Path):
    calls = []
    for _ in range(2):
        found = Parts(tmp_path / "new", "a").whole("kept", [1], lambda: calls.append(1) or {"share": 0.5})
        assert found == {"share": 0.5}
    assert calls == [1]
    Parts(tmp_path / "new", "b").whole("kept", [1], lambda: calls.append(2) or {})
    Parts(tmp_path / "new", "a").whole("kept", [2], lambda: calls.append(3) or {})
    assert calls == [1, 2, 3]


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("makesomenoise.evaluation.cache._BETWEEN_SECONDS", -1.0)
    asked = []

    def doubled(some):
        asked.extend(some)
        if 4 in some and len(asked) < 6:
            raise KeyboardInterrupt
        return [2 * number for number in some]

    with pytest.raises(KeyboardInterrupt):
        Parts(tmp_path, "a").each("twice", None, [1, 2, 3, 4, 5], doubled, at_once=2)
    assert Parts(tmp_path, "a").each("twice", None, [1, 2, 3, 4, 5], doubled, at_once=2) == [2, 4, 6, 8, 10]
    assert asked == [1, 2, 3, 4, 3, 4, 5]


def test_what_comes_back_is_what_json_makes_of_it(parts: Parts):
    first = parts.each("pairs", None, [(1, 2)], list)
    assert first == parts.each("pairs", None, [(1, 2)], lambda _: []) == [[1, 2]]


def test_an_answer_that_is_missing_is_an_error(parts: Parts):
    with pytest.raises(ValueError, match="2 answers for 1"):
        parts.each("more", None, [1], lambda _: [1, 2])
