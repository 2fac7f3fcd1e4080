"""Prompts give the same however much of them was known, and the oldest are forgotten."""

import numpy as np
import pytest

from makesomenoise.language.prefix_cache import PrefixCache
from makesomenoise.language.speaker import load_speaker

pytestmark = pytest.mark.usefixtures("onnx_cache")
FRAME = tuple(range(5, 30))


class Counted:
    """An engine that says how many tokens it has read."""

    def __init__(self, engine):
        self._engine, self.tokens = engine, 0

    def begin(self, rows: int):
        return self._engine.begin(rows)

    def read(self, state, tokens):
        self.tokens += sum(map(len, tokens))
        return self._engine.read(state, tokens)


@pytest.fixture
def engine(gguf_model):
    return Counted(load_speaker(gguf_model).engine)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [((*FRAME, 40, 41, 42), 3), (FRAME, 0), (FRAME[:20], 2), ((*FRAME, 40), 2), ((*FRAME[:4], 90, 91, 92), 7)],
)
def test_only_what_is_new_is_read(engine, prompt, read):
    alone = PrefixCache(engine).read(prompt)
    cache = PrefixCache(engine)
    cache.read((*FRAME[:3], 77, 78))
    kept = cache.read(FRAME)
    engine.tokens = 0
    found = cache.read(prompt)
    assert engine.tokens == read
    np.testing.assert_array_equal(found.hidden, alone.hidden)
    following = [engine.read(one.state.chosen([0]), [[9]]) for one in (found, alone)]
    np.testing.assert_array_equal(*following)
    assert kept.state.lengths.tolist() == [len(FRAME)]


def test_the_oldest_are_forgotten(engine):
    cache = PrefixCache(engine, most_tokens=60)
    first, second, third = ((start,) * 25 for start in (50, 60, 70))
    cache.read(first)
    cache.read(second)
    cache.read(first)
    cache.read(third)
    engine.tokens = 0
    cache.read(first)
    assert engine.tokens == 0
    cache.read(second)
    assert engine.tokens == 25


def test_a_prompt_longer_than_the_cache_is_read(engine):
    cache = PrefixCache(engine, most_tokens=10)
    assert cache.read(FRAME).hidden.shape[0] == 1
    assert cache.read(FRAME).state.lengths.tolist() == [len(FRAME)]
