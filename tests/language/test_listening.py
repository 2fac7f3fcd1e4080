"""Sounds are asked about in batches, as a stream and in windows; what does not fit is one sentence that helps."""

import pytest

from makesomenoise.language.config import LanguageError
from makesomenoise.language.listening import answer_windows, answers, prompt_about, stream_answer, windows
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound, Turn

RATE = 23.4375
SOUNDS = [Sound((3, 4, 5)), Sound((1,)), Sound(tuple(n % 20 for n in range(60)))]


def test_sounds_of_unequal_length_are_answered_as_each_alone(model):
    together = answers(model, SOUNDS * 4, "What is it?", most=12)
    assert together == [answers(model, [sound], "What is it?", most=12)[0] for sound in SOUNDS] * 4
    assert answers(model, [], "What is it?") == []


def test_a_stream_is_the_answer(model):
    for sound, text in zip(SOUNDS, answers(model, SOUNDS, "What is it?", most=12), strict=True):
        pieces = list(stream_answer(model, sound, "What is it?", most=12))
        assert "".join(pieces) == text
        assert all(pieces)


def test_the_sound_comes_before_the_question(model):
    written = model.vocabulary.text_tokenizer.decode(prompt_about(model, "What is <|a5|>? ", Sound((3,))))
    assert "<|audio|><|a3|><|/audio|>What is <|a5|>?<|im_end|>" in written


@pytest.mark.parametrize(
    ("codes", "seconds", "spans"),
    [
        (235, 10.0, [(0, 235)]),  # ten seconds are 234.4 codes
        (469, 10.0, [(0, 234), (234, 469)]),
        (300, 10.0, [(0, 234), (234, 300)]),
        (20, 10.0, [(0, 20)]),
        (1, 1 / RATE, [(0, 1)]),
        (5, 2 / RATE, [(0, 2), (2, 5)]),
    ],
)
def test_windows_cover_a_sound(codes: int, seconds: float, spans: list[tuple[int, int]]):
    sound = Sound(tuple(range(codes)))
    found = windows(sound, seconds, RATE)
    assert [(round(w.start * RATE), round(w.end * RATE)) for w in found] == spans
    assert [w.sound.codes for w in found] == [sound.codes[start:end] for start, end in spans]


def test_windows_end_where_the_sound_ends():
    found = windows(Sound((0,) * 469, seconds=20.0), 10.0, RATE)  # 469 codes reach to 20.01 s
    assert [found[0].start, round(found[0].end, 2), found[1].end] == [0.0, 9.98, 20.0]
    (found,) = windows(Sound((0,) * 24, seconds=1.001), 10.0, RATE)
    assert (found.start, found.end) == (0.0, 1.001)


def test_windows_stay_in_step_with_time():
    found = windows(Sound((0,) * 84_375), 10.0, RATE)  # an hour
    assert len(found) == 360
    assert all(abs(w.start - 10 * n) < 0.03 for n, w in enumerate(found))
    assert max(len(w.sound.codes) for w in found) <= 235


def test_each_window_is_answered_with_its_time(model):
    found = list(answer_windows(model, SOUNDS[2], "What is it?", 1.0, most=8))
    assert [(round(f.start, 1), round(f.end, 1)) for f in found] == [(0.0, 1.0), (1.0, 2.0), (2.0, 2.6)]
    pieces = [w.sound for w in windows(SOUNDS[2], 1.0, RATE)]
    assert [f.text for f in found] == answers(model, pieces, "What is it?", most=8)


def test_a_sound_that_is_too_long_is_told_how_long_it_may_be(model):
    long = Sound((0,) * 3000)
    with pytest.raises(LanguageError, match=r"The sound is 128\.0 s long, and 8\d\.\d s fit .*`--window 10`\)\.$"):
        answers(model, [SOUNDS[0], long], "What is it?")
    with pytest.raises(LanguageError, match="leaves no room"):
        prompt_about(model, "What? " * 2000, SOUNDS[0])
    fits = Sound((0,) * (2048 - 64 - 1 - len(prompt_about(model, "?", Sound((0,)))) + 1))
    assert prompt_about(model, "?", fits)
    with pytest.raises(LanguageError, match="fit into the context"):
        prompt_about(model, "?", Sound((*fits.codes, 0)))


def test_what_is_said_to_fit_does_fit_where_the_time_is_told(model):
    timed = LanguageModel(model.config.model_copy(update={"time_markers": True}), model.network, model.vocabulary)
    with pytest.raises(LanguageError, match="fit into the context") as refused:
        prompt_about(timed, "What?", Sound((0,) * 3000))
    seconds = float(str(refused.value).split("long, and ")[1].split(" s")[0])
    assert 74.0 < seconds < 82.0
    assert len(prompt_about(timed, "What?", Sound((0,) * int((seconds - 0.05) * RATE)))) <= 2048 - 64 - 1
    assert timed.prompts.content(Turn("user", (SOUNDS[2],))) == timed.vocabulary.timed_span(SOUNDS[2].codes, RATE)


@pytest.mark.parametrize("question", ["", " \n"])
def test_nothing_asked_is_refused(model, question: str):
    with pytest.raises(LanguageError, match="text is empty"):
        answers(model, SOUNDS, question)
    with pytest.raises(LanguageError, match="text is empty"):
        stream_answer(model, SOUNDS[0], question)  # at once, not when the first piece is asked for


def test_an_empty_sound_and_a_window_of_nothing_are_refused(model):
    with pytest.raises(LanguageError, match="sound is empty"):
        answers(model, [Sound(())], "What?")
    for seconds in (0.0, -1.0, float("nan"), 0.01, float("inf")):
        with pytest.raises(LanguageError, match=r"at least 0\.043 s"):
            windows(SOUNDS[0], seconds, RATE)
