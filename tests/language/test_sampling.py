"""One of many scores is drawn as was asked for, and what cannot be asked for is refused."""

import numpy as np
import pytest

from makesomenoise.language.config import LanguageError
from makesomenoise.language.sampling import GENERATING, GREEDY, Sampling, draw, seeded

SCORES = np.array([[0.0, 3.0, 2.9, -np.inf]], np.float32)


def drawn(sampling: Sampling) -> set[int]:
    generator = seeded(0)
    return {int(draw(SCORES, sampling, generator)[0]) for _ in range(300)}


def test_what_is_drawn_follows_the_temperature_and_the_likeliest():
    assert drawn(GREEDY) == {1}
    assert drawn(Sampling()) == {0, 1, 2}
    assert drawn(Sampling(top_k=2)) == {1, 2}
    assert drawn(Sampling(temperature=1e-45)) == {1}
    assert drawn(Sampling(top_k=4)) == {0, 1, 2}


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_any_integer_is_a_seed(seed: int):
    one, two = (seeded(seed).random(3) for _ in range(2))
    assert one.tolist() == two.tolist()


def test_sounds_are_made_with_guidance():
    assert GENERATING.guidance > 1.0


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": -1}, {"guidance": -0.1}, {"guidance": 1e30}],
)
def test_what_cannot_be_asked_for_is_one_sentence(wrong):
    with pytest.raises(LanguageError, match=r"got .*\.$"):
        Sampling(**wrong)
