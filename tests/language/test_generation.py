"""Codes come in exact number, sounds always close, and answers are ranked as a plain pass over each would rank them."""

import numpy as np
import pytest
import torch

from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import Memory, log_likelihood, sample_codes, sample_texts, stream_tokens
from makesomenoise.language.sampling import GREEDY, Sampling, seeded

PROMPT, OTHER = [5, 6, 7, 8, 9], [5, 9]


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_codes_come_in_exact_number_and_by_seed(model, guidance):
    sampling = Sampling(top_k=10, guidance=guidance)
    first, again, other = (sample_codes(model, PROMPT, OTHER, 12, sampling, seeded(n), 3) for n in (0, 0, 1))
    assert first.shape == (3, 12)
    assert 0 <= int(first.min()) <= int(first.max()) < model.vocabulary.codebook_size
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_greedy_guided_codes_are_those_of_plain_passes(model):
    codes = sample_codes(model, PROMPT, OTHER, 4, Sampling(temperature=0.0, guidance=2.0), seeded(0))[0].tolist()
    spell, said = model.vocabulary, []
    for _ in range(4):
        asked, free = (
            model.logits(model.hidden(torch.tensor([[*p, spell.start, *spell.to_tokens(said)]]))[0, -1])[
                spell.first : spell.start
            ].log_softmax(-1)
            for p in (PROMPT, OTHER)
        )
        said.append(int((free + 2.0 * (asked - free)).argmax()))
    assert codes == said


def test_sounds_close_and_stay_out_where_not_asked_for(model):
    spell = model.vocabulary
    plain = list(stream_tokens(model, PROMPT, 60, Sampling(), seeded(0)))
    assert not spell.is_audio(torch.tensor(plain)).any()
    spoken = [
        token for n in range(12) for token in stream_tokens(model, PROMPT, 40, Sampling(), seeded(n), sounds=Sampling())
    ]
    assert spell.start in spoken
    within = False
    for token in spoken:
        assert bool(spell.first <= token < spell.start or token == spell.end) == within
        within = token == spell.start or (within and token != spell.end)
    assert not within


def test_texts_of_a_batch_are_those_of_each_alone(model):
    prompts = [PROMPT, OTHER, [*PROMPT, *OTHER, 40]]
    alone = [list(stream_tokens(model, prompt, 20, GREEDY, seeded(0))) for prompt in prompts]
    assert sample_texts(model, prompts, 20, GREEDY, seeded(0)) == alone


def test_answers_of_a_batch_end_each_for_itself(model):
    answers = sample_texts(model, [PROMPT, OTHER] * 8, 60, Sampling(), seeded(0))
    end = model.prompts.end_of_turn
    assert len({len(answer) for answer in answers}) > 2
    assert not any(end in answer or model.vocabulary.is_audio(torch.tensor(answer)).any() for answer in answers)


def test_text_holds_no_token_that_begins_a_turn_or_stands_for_nothing(model):
    tokens = [t for n in range(12) for t in stream_tokens(model, PROMPT, 60, Sampling(), seeded(n))]
    special = set(model.vocabulary.text_tokenizer.all_special_ids)
    assert not special & set(tokens)
    assert max(tokens) <= model.vocabulary.end


def test_codes_are_drawn_in_their_own_way(model):
    """Once a sound has begun, greedy codes are the same whatever else is random."""
    spell, found = model.vocabulary, {}
    for n in range(40):
        tokens = list(stream_tokens(model, PROMPT, 12, Sampling(), seeded(n), sounds=GREEDY))
        if spell.start in tokens:
            at = tokens.index(spell.start)
            found.setdefault(tuple(tokens[:at]), set()).add(tuple(tokens[at:]))
    assert found
    for before, after in found.items():
        scores = model.logits(model.hidden(torch.tensor([[*PROMPT, *before, spell.start]])))[0, -1]
        likeliest = int(scores[spell.first : spell.start].argmax()) + spell.first
        assert {sound[1] for sound in after} == {likeliest}


def test_a_memory_changes_nothing(model):
    memory, sampling = Memory(), Sampling()
    first = list(stream_tokens(model, PROMPT, 8, sampling, seeded(1), Sampling(), memory))
    for prompt in ([*PROMPT, *first, 9, 4], [*PROMPT, 3, 3], PROMPT, [4]):
        remembered = list(stream_tokens(model, prompt, 8, sampling, seeded(2), Sampling(), memory))
        assert remembered == list(stream_tokens(model, prompt, 8, sampling, seeded(2), Sampling()))


def test_a_memory_reads_only_what_is_new(model):
    memory = Memory()
    list(stream_tokens(model, PROMPT, 1, GREEDY, seeded(0), memory=memory))
    assert memory.unread([*PROMPT, 11, 12]) == [11, 12]
    assert memory.unread(PROMPT) == PROMPT[-1:]
    assert memory.unread([5, 6, 1, 2]) == [1, 2]


def test_likelihoods_are_those_of_plain_passes(model):
    answers = [[3, 4, 5], [7], [9, 2]]

    def plain(prompt: list[int], answer: list[int]) -> torch.Tensor:
        scores = model.logits(model.hidden(torch.tensor([prompt + answer])))[0, len(prompt) - 1 : -1]
        scores = scores[:, : model.vocabulary.end + 1].log_softmax(-1)  # some bases have rows for no token at all
        return scores.gather(1, torch.tensor(answer)[:, None]).sum()

    with torch.inference_mode():
        expected = torch.stack([plain(PROMPT, answer) for answer in answers])
    found = log_likelihood(model, PROMPT, answers, at_once=2)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_what_cannot_be_made_is_one_sentence(model):
    for count in (0, 10_000):
        with pytest.raises(LanguageError):
            sample_codes(model, PROMPT, OTHER, count, GREEDY, seeded(0))
    with pytest.raises(LanguageError, match=r"the context has 2048"):
        list(stream_tokens(model, PROMPT, 5000, GREEDY, seeded(0)))
    with pytest.raises(LanguageError, match="no empty one"):
        log_likelihood(model, PROMPT, [[1], []])
