"""What is drawn for one request is what it gets alone, whoever comes and goes beside it; on both engines."""

import numpy as np
import pytest

from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import sample_codes, stream_tokens
from makesomenoise.language.sampling import GREEDY, Sampling, seeded
from makesomenoise.language.side_by_side import Drawing, SideBySide, WantedCodes, WantedText
from makesomenoise.language.speaker import Speaker, load_speaker
from tests.factories import untrained

PROMPTS = [[5, 6, 7, 8, 9, 40, 41], [5, 9], [*range(30, 60)], [12] * 11]
WARM, CODES = Sampling(temperature=1.5), Sampling(temperature=1.0)


@pytest.fixture(params=["onnx", "torch"])
def speaker(request: pytest.FixtureRequest, bases, codebook) -> Speaker:
    if request.param == "torch":
        return untrained(bases["qwen2"], codebook)
    request.getfixturevalue("onnx_cache")
    return load_speaker(request.getfixturevalue("gguf_model"))


def alone(speaker: Speaker, wanted: WantedText | WantedCodes) -> list[list[int]]:
    """What the functions of `generation` draw."""
    generator = seeded(wanted.seed)
    if isinstance(wanted, WantedText):
        tokens = stream_tokens(speaker, wanted.prompt, wanted.most, wanted.sampling, generator, wanted.sounds)
        return [[token] for token in tokens]
    drawn = sample_codes(
        speaker, wanted.prompt, wanted.unconditional, wanted.count, wanted.sampling, generator, wanted.candidates
    )
    return drawn.T.tolist()


def requests() -> list[WantedText | WantedCodes]:
    """Texts with and without sounds, sounds with and without guidance; some prompts come twice."""
    found: list[WantedText | WantedCodes] = [WantedText(prompt, 12, WARM, n) for n, prompt in enumerate(PROMPTS)]
    found += [WantedText(PROMPTS[0], 30, WARM, 7, CODES), WantedText(PROMPTS[2], 5, GREEDY)]
    found += [WantedCodes(PROMPTS[1], PROMPTS[3], 9, Sampling(guidance=3.0), 3, candidates=2)]
    return [*found, WantedCodes(PROMPTS[2], PROMPTS[3], 4, CODES, 4)]


def test_all_together_get_what_each_gets_alone(speaker):
    batch = SideBySide(speaker)
    drawings = [batch.add(wanted) for wanted in requests()]
    assert batch.rows == 6 + 4 + 1
    assert [list(drawing) for drawing in drawings] == [alone(speaker, wanted) for wanted in requests()]
    assert batch.rows == 0


def test_who_comes_and_goes_changes_nothing_for_others(speaker):
    expected = [alone(speaker, wanted) for wanted in requests()]
    batch, order = SideBySide(speaker), np.random.default_rng(0)
    found: dict[int, list[list[int]]] = {}
    open_: dict[int, Drawing] = {}
    waiting = [*range(len(expected))] * 3
    while waiting or open_:
        if waiting and order.random() < 0.3:
            number = waiting.pop(0)
            batch.add(WantedText(PROMPTS[0], 20, WARM, 99)).close()  # before it began
            if number not in open_:
                open_[number], found[number] = batch.add(requests()[number]), []
        for number in tuple(open_):
            if (drawn := next(open_[number], None)) is not None:
                found[number].append(drawn)
                if order.random() < 0.03:
                    open_.pop(number).close()
                    assert found[number] == expected[number][: len(found[number])]
            else:
                assert found[number] == expected[number]
                open_.pop(number)
    assert batch.rows == 0


def test_an_answer_ends_by_itself_or_at_its_most_tokens(speaker):
    batch = SideBySide(speaker)
    whole = batch.add(WantedCodes(PROMPTS[0], PROMPTS[1], 3, CODES))
    cut = batch.add(WantedText(PROMPTS[1], 2, WARM, 1))
    assert len(list(whole)) == 3
    assert len(list(cut)) == 2
    assert (whole.ended, cut.ended) == (True, False)


def test_what_does_not_fit_is_refused(speaker):
    batch = SideBySide(speaker)
    with pytest.raises(LanguageError, match="the context has"):
        batch.add(WantedText(PROMPTS[0], speaker.config.context_tokens, WARM))
    assert batch.rows == 0


def test_states_join_and_keep_rows_of_any_length(speaker):
    engine = speaker.engine
    expected = []
    for prompt in PROMPTS:
        state = engine.begin(1)
        engine.read(state, [prompt])
        expected.append(engine.read(state, [[4]])[0])
    joined = engine.begin(0)
    for prompt in PROMPTS:
        state = engine.begin(1)
        engine.read(state, [prompt])
        joined.join(state)
    np.testing.assert_allclose(engine.read(joined, [[4]] * 4), expected, atol=1e-4)
    joined.keep([0, 3, 2])
    following = engine.read(joined, [[8]] * 3)
    for row, prompt in zip(following, (PROMPTS[0], PROMPTS[3], PROMPTS[2]), strict=True):
        state = engine.begin(1)
        engine.read(state, [prompt])
        engine.read(state, [[4]])
        np.testing.assert_allclose(row, engine.read(state, [[8]])[0], atol=1e-4)


def test_a_state_grows_in_rows_and_in_tokens(speaker):
    engine = speaker.engine
    joined, long = engine.begin(0), [5 + n % 200 for n in range(290)]
    for _ in range(9):
        state = engine.begin(1)
        engine.read(state, [PROMPTS[0]])
        joined.join(state)
    state = engine.begin(1)
    expected = [engine.read(state, [long]), engine.read(state, [[4]])][1][0]
    state = engine.begin(1)
    engine.read(state, [long])
    joined.join(state)
    np.testing.assert_allclose(engine.read(joined, [[4]] * 10)[9], expected, atol=1e-4)
