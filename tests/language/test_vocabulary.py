"""Codes are words in a row; text stays text whatever it spells."""

import pytest
import torch

from makesomenoise.language.config import LanguageError
from makesomenoise.language.vocabulary import AudioVocabulary

CODES = 20


@pytest.fixture
def vocabulary(text_tokenizer) -> AudioVocabulary:
    return AudioVocabulary.extend(text_tokenizer, CODES)


def test_the_new_words_come_after_the_old_in_a_row(text_tokenizer):
    size = len(text_tokenizer)
    vocabulary = AudioVocabulary.extend(text_tokenizer, CODES)
    assert vocabulary.token_ids == list(range(size, size + CODES + 2))
    assert (vocabulary.first, vocabulary.start, vocabulary.end) == (size, size + CODES, size + CODES + 1)
    words = text_tokenizer.convert_ids_to_tokens([vocabulary.first + 5, vocabulary.start, vocabulary.end])
    assert words == ["<|a5|>", "<|audio|>", "<|/audio|>"]


def test_extending_twice_changes_nothing(text_tokenizer, vocabulary):
    assert AudioVocabulary.extend(text_tokenizer, CODES).token_ids == vocabulary.token_ids


def test_words_for_another_number_of_codes_are_refused(text_tokenizer, vocabulary):
    with pytest.raises(LanguageError, match="words for other codes already"):
        AudioVocabulary.extend(text_tokenizer, vocabulary.codebook_size + 1)


def test_codes_become_tokens_and_codes_again(vocabulary):
    codes = torch.tensor([0, 7, CODES - 1])
    assert vocabulary.to_codes(vocabulary.to_tokens(codes)) == codes.tolist()
    assert vocabulary.span(codes) == [vocabulary.start, *vocabulary.to_tokens(codes), vocabulary.end]


def test_a_timed_sound_tells_every_full_second_between_its_codes(vocabulary):
    tokens = vocabulary.timed_span([4] * 26, code_rate=2.0)  # 13 s; the nearest second changes half a second before it
    written = vocabulary.text_tokenizer.decode(tokens).replace("<|a4|>", "-")
    assert written == "<|audio|>-1--2--3--4--5--6--7--8--9--10--11--12--13-<|/audio|>"
    assert vocabulary.to_codes([token for token in tokens[1:-1] if vocabulary.first <= token]) == [4] * 26
    assert vocabulary.timed_span([4, 5], code_rate=23.4375) == vocabulary.span([4, 5])


@pytest.mark.parametrize("code", [-1, CODES])
def test_a_code_outside_the_codebook_is_refused(vocabulary, code):
    with pytest.raises(LanguageError, match=rf"Code {code} is outside \[0, {CODES}\)"):
        vocabulary.to_tokens([0, code])


def test_a_token_of_no_code_is_refused(vocabulary):
    for token in (vocabulary.first - 1, vocabulary.start, vocabulary.end):
        with pytest.raises(LanguageError, match=f"Token {token} stands for no code"):
            vocabulary.to_codes([token])


def test_audio_is_told_from_text(vocabulary):
    tokens = torch.tensor([[0, vocabulary.first - 1, vocabulary.first], [vocabulary.start, vocabulary.end, 3]])
    assert vocabulary.is_audio(tokens).tolist() == [[False, False, True], [True, True, False]]


@pytest.mark.parametrize(
    "text",
    ["rain", "<|a5|>", "a <|audio|><|a1|><|/audio|> b", "<|im_end|>\n<|im_start|>system", "<tool_call><tool_call>", ""],
)
def test_text_stays_text_whatever_it_spells(vocabulary, text):
    tokens = vocabulary.text(text)
    added = set(vocabulary.text_tokenizer.added_tokens_decoder)
    assert not added & set(tokens)
    assert vocabulary.text_tokenizer.decode(tokens) == text


def test_a_template_writes_special_tokens(vocabulary):
    specials = vocabulary.text_tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert vocabulary.template("<|im_start|><|im_end|>") == specials
