"""Sounds are asked for in the words of training and have the length asked for."""

import pytest

from makesomenoise.language import composing
from makesomenoise.language.composing import compose
from makesomenoise.language.config import LanguageError
from makesomenoise.language.orders import request


@pytest.mark.parametrize(("seconds", "codes"), [(0.5, 12), (5.12, 120), (0.001, 1), (128 / 23.4375, 128)])
def test_sounds_have_the_length_that_was_asked_for(model, seconds: float, codes: int):
    made = compose(model, "a dog barks", seconds)
    assert [len(sound.codes) for sound in made] == [codes]


def test_the_seed_decides(model):
    one, two, other = (compose(model, "rain", 1.0, seed, candidates=2) for seed in (1, 1, 2))
    assert one == two != other
    assert one[0] != one[1]


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
    made = [compose(model, text, 1.0)[0] for text in ("", " ", ".")]
    assert made[0] == made[1] == made[2] != compose(model, "rain", 1.0)[0]
    assert request(" ", 1.0) == "Make a sound for 1 second."


def test_what_cannot_be_made_is_one_sentence(model):
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(LanguageError, match="give a length above 0 s"):
            compose(model, "dog", seconds)
    with pytest.raises(LanguageError, match=r"Cannot make 10000 s of sound: at most 8\d\.\d s fit"):
        compose(model, "dog", 10_000.0)
    with pytest.raises(LanguageError, match=r"at least one .* candidate"):
        compose(model, "dog", 1.0, candidates=0)
