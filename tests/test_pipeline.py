"""Sound and text through one model: what fits is answered, what does not gets one sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.audio.io import AudioError
from makesomenoise.audio.level import levelled
from makesomenoise.language.config import LanguageError
from makesomenoise.language.listening import prompt_about
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.naming import recognised
from makesomenoise.language.prompts import Sound
from makesomenoise.pipeline import AS_CODED, AudioLanguageModel, Generation, PipelineError
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.files import encode_file
from makesomenoise.tokenizer.model import AudioTokenizer
from tests import factories

QUICK = Generation(steps=1)

LABELS = ["dog", "rain", "siren"]


@pytest.fixture(scope="module")
def tokenizer() -> AudioTokenizer:
    return AudioTokenizer.load()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.save_base(tmp_path_factory.mktemp("base"))


def language(base: Path, codes: str) -> LanguageModel:
    return factories.language_model(base, codes)


@pytest.fixture(scope="module")
def model(base: Path, tokenizer: AudioTokenizer) -> AudioLanguageModel:
    return AudioLanguageModel(tokenizer, language(base, tokenizer.fingerprint))


def test_a_file_a_waveform_and_codes_are_the_same_sound(model, tone, tmp_path):
    waveform = tone(1.2)
    io.save(tmp_path / "tone.wav", waveform)
    waveform = io.load(tmp_path / "tone.wav")
    heard = model.hear(waveform)
    assert heard == Sound(tuple(model.tokenizer.encode(waveform[None])[0].tolist()))
    assert heard == model.hear(tmp_path / "tone.wav") == model.hear(str(tmp_path / "tone.wav")) == model.hear(heard)
    assert len(set(model.ask([waveform, tmp_path / "tone.wav", heard], "What?", most_tokens=4))) == 1


def test_sounds_of_unequal_length_are_described_as_each_alone(model, tone):
    sounds = [tone(1.0), tone(2.3, 880.0), tone(0.1)]
    assert model.caption(sounds) == [model.caption([sound])[0] for sound in sounds]
    assert model.caption(np.stack([sounds[0], sounds[0]])) == model.caption([sounds[0]]) * 2
    assert "".join(model.stream_answer(sounds[1])) == model.caption(sounds)[1]


def test_labels_are_ranked(model, tone):
    together = model.classify([tone(1.0), tone(2.0, 880.0)], LABELS)
    for ranked in together:
        assert {one.label for one in ranked} == set(LABELS)
        assert sum(one.probability for one in ranked) == pytest.approx(1.0)
        assert ranked[0].probability >= ranked[-1].probability
    assert model.classify([tone(1.0)], LABELS, prior=0.0)[0] != together[0]


def test_long_sounds_are_taken_in_windows(model, tone):
    sound = model.hear(tone(130.0))
    with pytest.raises(LanguageError, match=r"The sound is 130\.0 s long, and 82\.9 s fit .*`--window 10`"):
        model.caption([sound])
    found = list(model.ask_each([sound], window=50.0))
    assert [(round(one.start), round(one.end)) for one in found] == [(0, 50), (50, 100), (100, 130)]
    assert found[2].end == 130.0
    assert found[2].text == model.caption([Sound(sound.codes[round(100 * 23.4375) :])])[0]
    assert sum(one.probability for one in model.classify([sound], LABELS, window=50.0)[0]) == pytest.approx(1.0)
    (refused,) = model.ask_each([sound], window=120.0)
    assert "--window" in str(refused.error)


def test_made_sounds_have_the_length_that_was_asked_for(model):
    first, again = (model.generate("a dog barks", 0.7, seed=3, candidates=2) for _ in range(2))
    assert first.shape == (2, 16_800)
    assert np.array_equal(first, again)
    assert model.generate("rain", 1.5 / 24_000).shape == (1, 2)


def test_the_quality_reaches_the_decoder(model):
    codes = model.compose("rain", 0.5)[0]
    best = model.render(codes, 0.5, generation=replace(AS_CODED, quality="best"))
    np.testing.assert_allclose(
        best, model.render(codes, 0.5, generation=replace(AS_CODED, steps=12, quality="best")), rtol=0, atol=0
    )
    assert not np.allclose(model.render(codes, 0.5), best)
    np.testing.assert_allclose(
        model.generate("rain", 0.5, generation=Generation(level_db=None, quality="best"))[0], best, rtol=0, atol=0
    )


def test_the_first_of_several_is_that_of_its_seed_alone(model):
    told = []
    several = list(model.generate_each("a dog barks", 0.3, 5, QUICK, 3, report=told.append))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 3 * len(several[0].sound.codes)
    assert [one.seed for one in several] == [5, 6, 7]
    for one in several:
        (alone,) = model.generate("a dog barks", 0.3, seed=one.seed, generation=QUICK)
        assert np.array_equal(one.waveform, alone)
    assert len({one.sound for one in several}) == 3


def test_the_best_of_several_is_kept(model):
    several = list(model.generate_each("a dog barks", 0.2, generation=QUICK, candidates=3))
    (best,) = model.generate_each("a dog barks", 0.2, generation=QUICK, candidates=3, best_by="caption")
    assert len(best.others) == 2
    assert best.score >= best.others[0] >= best.others[1]
    (same,) = (one for one in several if one.seed == best.seed)
    assert np.array_equal(best.waveform, same.waveform)
    assert best.score == pytest.approx(recognised(model.language, [same.sound], "a dog barks")[0], rel=1e-4)


def test_one_sound_that_cannot_be_used_stops_none_of_the_others(model, tone, tmp_path):
    sounds = [tone(0.5), tmp_path / "missing.wav", torch.zeros(24_000 * 90), tone(1.0)]
    answers = list(model.ask_each(sounds))
    assert [answer.number for answer in answers] == [0, 1, 2, 3]
    assert [answers[0].text, answers[3].text] == model.caption([sounds[0], sounds[3]])
    assert isinstance(answers[1].error, AudioError)
    assert "90.0 s long" in str(answers[2].error)
    ranked = list(model.classify_each(sounds, LABELS))
    assert [found.error is None for found in ranked] == [True, False, False, True]
    assert list(ranked[3].labels) == model.classify([sounds[3]], LABELS)[0]
    with pytest.raises(AudioError, match="No such file"):
        model.classify(sounds, LABELS)


def test_codes_in_a_file_are_the_sound_that_they_were_made_from(model, tone, tmp_path):
    waveform = tone(1.2)
    io.save(tmp_path / "tone.wav", waveform)
    written = encode_file(model.tokenizer, tmp_path / "tone.wav", tmp_path / "tone.msn")
    heard = model.hear(tmp_path / "tone.msn")
    assert heard == model.hear(tmp_path / "tone.wav")
    assert heard.seconds == written.seconds == 1.2
    (tmp_path / "misnamed.wav").write_bytes((tmp_path / "tone.msn").read_bytes())
    assert model.hear(tmp_path / "misnamed.wav") == heard
    bitstream.write(tmp_path / "other.msn", replace(written, fingerprint="0" * 16))
    with pytest.raises(bitstream.BitstreamError, match="was made by the tokenizer 0000000000000000"):
        model.caption([tmp_path / "other.msn"])


def test_made_sounds_are_as_loud_as_usual_unless_they_are_to_stay(model):
    loud, same = (model.generate("rain", 0.5, generation=how)[0] for how in (QUICK, replace(QUICK, level_db=None)))
    (codes,) = model.compose("rain", 0.5)
    np.testing.assert_allclose(same, model.render(codes, 0.5, generation=replace(AS_CODED, steps=1)))
    np.testing.assert_allclose(loud, levelled(same, 24_000), rtol=1e-5)
    assert not np.allclose(loud, same)


def test_a_conversation_takes_and_gives_sound(model, tone, monkeypatch):
    spell = model.language.vocabulary
    made = [*spell.text("Here: "), *spell.span([1, 2, 3]), *spell.text("done")]
    monkeypatch.setattr("makesomenoise.language.dialogue.stream_tokens", lambda *_, **__: iter(made))
    chat = model.chat()
    chat.attach(tone(0.5))
    reply = list(chat.say("Make this again."))
    (sound,) = (part for part in reply if isinstance(part, np.ndarray))
    assert np.array_equal(sound, model.render(Sound((1, 2, 3))))  # as loud as what it may go on with
    assert "".join("|" if isinstance(part, np.ndarray) else part for part in reply) == "Here: |done"
    assert chat.turns[0].parts == (model.hear(tone(0.5)), "Make this again.")
    assert chat.turns[1].parts == ("Here: ", Sound((1, 2, 3)), "done")
    chat.reset()
    assert chat.turns == ()
    (sound,) = chat.say("Please make a sound for 0.51 seconds.")
    assert len(sound) == round(0.51 * 24_000)
    np.testing.assert_allclose(sound, levelled(sound, 24_000), rtol=1e-5)


def test_text_that_spells_a_sound_stays_text(model, tone):
    question = "Is it <|a5|> or <|/audio|>?"
    tokens = torch.tensor(prompt_about(model.language, question, Sound((5,))))
    assert int(model.language.vocabulary.is_audio(tokens).sum()) == 3  # the sound itself
    assert model.language.vocabulary.text_tokenizer.decode(tokens).count("<|a5|>") == 2
    assert len(model.ask([tone(1.0)], question, most_tokens=4)) == 1
    assert model.generate("<|a5|><|/audio|>", 0.1).shape == (1, 2400)


def test_what_cannot_be_done_is_one_sentence(model, tone, tmp_path):
    for seconds in (0.0, -1.0, float("nan")):
        with pytest.raises(LanguageError):
            model.generate("dog", seconds)
    for text in ("", " ", "."):
        with pytest.raises(PipelineError, match="text is empty"):
            model.generate(text, 1.0)
    with pytest.raises(PipelineError, match="less than a sample"):
        model.generate("dog", 1e-6)
    with pytest.raises(LanguageError, match=r"at most 8\d\.\d s fit"):
        model.generate("dog", 10_000)
    with pytest.raises(LanguageError, match="given twice"):
        model.classify([tone(1.0)], ["dog", "Dog"])
    for wrong in (torch.zeros(0), torch.zeros(9, 100), torch.full((100,), float("nan"))):
        with pytest.raises(PipelineError, match=r"finite waveform \[S\]"):
            model.caption([wrong])
    for wrong in (tone(1.0), "dog.wav"):
        with pytest.raises(PipelineError, match="Expected several sounds"):
            model.caption(wrong)
    with pytest.raises(AudioError, match="No such file"):
        model.caption([tmp_path / "missing.wav"])


def test_what_does_not_belong_together_is_refused(model, base, tmp_path):
    other = language(base, "0" * 16)
    with pytest.raises(PipelineError, match="the codes of the tokenizer 0000000000000000"):
        AudioLanguageModel(model.tokenizer, other)
    other.save(tmp_path)
    with pytest.raises(PipelineError, match="the codes of the tokenizer 0000000000000000"):
        AudioLanguageModel.load(tmp_path)


def test_how_much_is_done_is_told_of_windows_of_a_sound(model: AudioLanguageModel, tmp_path: Path, tone):
    io.save(tmp_path / "a.wav", tone(3.0))
    sounds = [tmp_path / "a.wav", tmp_path / "no.wav", tone(0.4)]
    asked: list[float] = []
    list(model.ask_each(sounds, window=0.25, report=asked.append))
    ranked: list[float] = []
    list(model.classify_each(sounds, ["dog", "rain"], window=0.25, report=ranked.append))
    for told in (asked, ranked):
        assert told == sorted(told)
        assert told[-1] == 3.0
        assert len([share for share in told if 0.0 < share < 1.0]) >= 6
        assert 2.0 in told
    list(model.ask_each(sounds, report=(whole := list[float]()).append))
    assert whole == [1, 2, 3]


def test_events_are_what_is_said_of_windows(model: AudioLanguageModel, tone):
    sound = tone(1.0)
    said = list(model.ask_each([sound], window=0.3))
    found = model.events(sound, 0.3)
    assert [event.text for event in found] == [
        a.text for n, a in enumerate(said) if not n or said[n - 1].text != a.text
    ]
    assert (found[0].start, found[-1].end) == (0.0, 1.0)
    with pytest.raises(AudioError):
        model.events("no.wav")
