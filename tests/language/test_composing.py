"""Sounds are asked for in the words of training, have the length asked for, and are ranked by what the model hears."""

import pytest

from makesomenoise.language import composing
from makesomenoise.language.composing import compose
from makesomenoise.language.config import LanguageError
from makesomenoise.language.naming import recognised


@pytest.mark.parametrize(("seconds", "codes"), [(0.5, 12), (5.12, 120), (0.001, 1), (128 / 23.4375, 128)])
def test_sounds_have_the_length_that_was_asked_for(model, seconds: float, codes: int):
    made = compose(model, "a dog barks", seconds)
    assert [len(one.sound.codes) for one in made] == [codes]
    assert made[0].score is None


def test_the_seed_decides(model):
    one, two, other = ([m.sound for m in compose(model, "rain", 1.0, seed, candidates=2)] for seed in (1, 1, 2))
    assert one == two != other
    assert one[0] != one[1]


def test_the_first_of_several_is_the_one_that_is_made_alone(model):
    (alone,) = compose(model, "rain", 2.0, seed=3)
    several = compose(model, "rain", 2.0, seed=3, candidates=4)
    assert several[0] == alone
    assert len({one.sound for one in several}) == 4


def test_the_best_come_first(model):
    plain = compose(model, "A dog barks.", 0.5, candidates=4)
    made = compose(model, "A dog barks.", 0.5, candidates=4, best_by="caption")
    assert {m.sound for m in made} == {m.sound for m in plain}
    scores = [m.score for m in made]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx(recognised(model, [m.sound for m in made], "a dog barks"), rel=1e-4)


def test_it_is_asked_for_in_the_words_of_training(model, monkeypatch):
    asked = []
    sample = composing.sample_codes

    def spy(model, prompt, unconditional, *rest):
        asked.extend(model.vocabulary.text_tokenizer.decode(tokens) for tokens in (prompt, unconditional))
        return sample(model, prompt, unconditional, *rest)

    monkeypatch.setattr(composing, "sample_codes", spy)
    compose(model, "A dog <|a5|> barks. ", 1.0)
    assert "Make this sound for 1 second: a dog <|a5|> barks.<|im_end|>" in asked[0]
    assert "Make a sound for 1 second.<|im_end|>" in asked[1]


def test_no_text_asks_for_any_sound(model):
    made = [compose(model, text, 1.0)[0].sound for text in ("", " ", ".")]
    assert made[0] == made[1] == made[2] != compose(model, "rain", 1.0)[0].sound
    assert composing.request(" ", 1.0) == "Make a sound for 1 second."


def test_what_cannot_be_made_is_one_sentence(model):
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(LanguageError, match="give a length above 0 s"):
            compose(model, "dog", seconds)
    with pytest.raises(LanguageError, match=r"Cannot make 10000 s of sound: at most 8\d\.\d s fit"):
        compose(model, "dog", 10_000.0)
    with pytest.raises(LanguageError, match=r"at least one .* candidate"):
        compose(model, "dog", 1.0, candidates=0)
