"""Codes come in exact number, sounds always close, and answers are ranked as a plain pass over each would rank them."""

import pytest
import torch

from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import GREEDY, Sampling, rank, sample_codes, stream_tokens

PROMPT, OTHER = [5, 6, 7, 8, 9], [5, 9]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_codes_come_in_exact_number_and_by_seed(model, guidance):
    sampling = Sampling(top_k=10, guidance=guidance)
    first, again, other = (sample_codes(model, PROMPT, OTHER, 12, sampling, seeded(n), 3) for n in (0, 0, 1))
    assert first.shape == (3, 12)
    assert 0 <= int(first.min()) <= int(first.max()) < model.vocabulary.codebook_size
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_greedy_guided_codes_are_those_of_plain_passes(model):
    codes = sample_codes(model, PROMPT, OTHER, 4, Sampling(temperature=0.0, guidance=2.0), seeded())[0].tolist()
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
    plain = list(stream_tokens(model, PROMPT, 60, Sampling(), seeded()))
    assert not spell.is_audio(torch.tensor(plain)).any()
    spoken = [
        token for n in range(12) for token in stream_tokens(model, PROMPT, 40, Sampling(), seeded(n), sounds=True)
    ]
    assert spell.start in spoken
    within = False
    for token in spoken:
        assert bool(spell.first <= token < spell.start or token == spell.end) == within
        within = token == spell.start or (within and token != spell.end)
    assert not within


def test_ranks_are_those_of_plain_passes(model):
    answers = [[3, 4, 5], [7], [9, 2]]

    def plain(prompt: list[int], answer: list[int]) -> torch.Tensor:
        scores = model.logits(model.hidden(torch.tensor([prompt + answer])))[0, len(prompt) - 1 : -1].log_softmax(-1)
        return scores.gather(1, torch.tensor(answer)[:, None]).mean()

    with torch.inference_mode():
        expected = torch.stack([plain(PROMPT, answer) for answer in answers])
        prior = torch.stack([plain(OTHER, answer) for answer in answers])
    torch.testing.assert_close(rank(model, PROMPT, answers, at_once=2), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rank(model, PROMPT, answers, prior=OTHER), expected - prior, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_made_is_one_sentence(model):
    for count in (0, 10_000):
        with pytest.raises(LanguageError):
            sample_codes(model, PROMPT, OTHER, count, GREEDY, seeded())
    with pytest.raises(LanguageError, match=r"the context has 2048"):
        list(stream_tokens(model, PROMPT, 5000, GREEDY, seeded()))
    with pytest.raises(LanguageError, match="no empty one"):
        rank(model, PROMPT, [[1], []])
    with pytest.raises(LanguageError, match="negative"):
        Sampling(temperature=-1.0)
