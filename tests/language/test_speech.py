"""Tokens come out as text, letters whole, and as sounds, whole too."""

import pytest

from makesomenoise.language.prompts import Sound
from makesomenoise.language.speech import spoken, without_repeats
from makesomenoise.language.vocabulary import AudioVocabulary

LETTERS = "a dög 吠える 🐕‍🦺 audio."


@pytest.fixture
def vocabulary(text_tokenizer) -> AudioVocabulary:
    return AudioVocabulary.extend(text_tokenizer, 20)


def test_letters_of_several_bytes_come_whole(vocabulary):
    pieces = list(spoken(vocabulary, vocabulary.text(LETTERS)))
    assert "".join(pieces) == LETTERS
    assert "🐕" in pieces
    assert not any("\ufffd" in piece or not piece for piece in pieces)


def test_text_comes_as_soon_as_it_is_there(vocabulary):
    taken = []
    tokens = vocabulary.text("rain")

    def one_by_one():
        for token in tokens:
            taken.append(token)
            yield token

    pieces = spoken(vocabulary, one_by_one())
    assert next(pieces) == "r"
    assert len(taken) == 1


def test_a_letter_that_is_never_completed_ends_the_text(vocabulary):
    tokens = vocabulary.text("a 🐕")[:-1]
    assert "".join(spoken(vocabulary, tokens)) == vocabulary.text_tokenizer.decode(tokens)


def test_sounds_come_whole_between_texts(vocabulary):
    spell = vocabulary.text
    tokens = [*spell("a"), *vocabulary.span([3, 4]), *vocabulary.span([5]), *spell(" b")]
    assert list(spoken(vocabulary, tokens)) == ["a", Sound((3, 4)), Sound((5,)), " ", "b"]


def test_what_spells_a_sound_is_text(vocabulary):
    text = "<|audio|><|a5|><|/audio|>"
    assert "".join(spoken(vocabulary, vocabulary.text(text))) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("A dog is an animal. It barks. A dog is an animal. It barks.", "A dog is an animal. It barks."),
        ("Hello!", "Hello!"),
        ("1. Rain\n2. Wind\n3. Snow\n", "1. Rain\n2. Wind\n3. Snow\n"),
        ("1. Rain\n2. Wind\n3. Rain\n4. Wind\n", "1. Rain\n2. Wind\n3."),
        ("A dog is an animal. A dog is an animal that barks.", "A dog is an animal. A dog is an animal that barks."),
        ("A sentence of some length. And one more. And another.", "A sentence of some length. And one more."),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_text_ends_where_it_says_the_same_again(text: str, kept: str, size: int):
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    said = list(without_repeats(pieces, longest=30))
    assert "".join(said).rstrip() == kept.rstrip()
    assert all(said)


def test_a_text_ends_where_it_turns_around_a_few_words():
    pieces = [f"{word} " for word in ("It is " + "a cat and " * 50).split()]
    said = "".join(without_repeats(pieces, longest=10_000))
    assert len(said) < 60
