"""Labels are ranked by what the sound adds to how likely they are said."""

import numpy as np
import pytest
import torch

from makesomenoise.language import wording
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import prompt_about, windows
from makesomenoise.language.naming import Namer, checked_labels, recognised
from makesomenoise.language.prefix_cache import PrefixCache
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import log_softmax
from makesomenoise.language.speaker import load_speaker

SOUND, LONG = Sound((3, 4, 5)), Sound(tuple(n % 20 for n in range(60)))
LABELS = ["dog", "rain on a roof", "siren"]


def scored(model, sound: Sound | None) -> np.ndarray:
    said = [[*model.vocabulary.text(label), model.prompts.end_of_turn] for label in LABELS]
    return log_likelihood(model, prompt_about(model, wording.CLASSIFY, sound), said)


def chances(ranked) -> list[float]:
    found = {one.label: one.probability for one in ranked}
    return [found[label] for label in LABELS]


def test_a_likelihood_is_that_of_the_whole_answer(model):
    prompt = prompt_about(model, wording.CLASSIFY, SOUND)
    answer = [*model.vocabulary.text("siren"), model.prompts.end_of_turn]
    scores = model.logits(model.hidden(torch.tensor([prompt + answer])))[0, len(prompt) - 1 : -1]
    scores = scores[:, : model.vocabulary.end + 1].log_softmax(-1)  # some bases have rows for no token at all
    expected = scores.gather(1, torch.tensor(answer)[:, None]).sum()
    np.testing.assert_allclose(scored(model, SOUND)[2], expected.detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prior", [0.0, 0.5, 1.0])
def test_what_is_said_without_a_sound_is_subtracted(model, prior: float):
    ranked = Namer(model, LABELS, prior).rank(SOUND)
    expected = np.exp(log_softmax(scored(model, SOUND) - prior * scored(model, None)))
    np.testing.assert_allclose(chances(ranked), expected, rtol=1e-3, atol=1e-4)
    assert [one.probability for one in ranked] == sorted(chances(ranked), reverse=True)
    assert sum(chances(ranked)) == pytest.approx(1.0)


def test_windows_are_averaged(model):
    ranked = Namer(model, LABELS).rank(LONG, window=1.0)
    pieces = [scored(model, w.sound) for w in windows(LONG, 1.0, model.config.code_rate)]
    expected = np.exp(log_softmax(np.stack(pieces).mean(0) - 0.5 * scored(model, None)))
    np.testing.assert_allclose(chances(ranked), expected, rtol=1e-3, atol=1e-4)


def test_several_sounds_are_ranked_as_each_alone(model):
    namer = Namer(model, LABELS)
    for sound in (SOUND, LONG):
        assert chances(namer.rank(sound)) == pytest.approx(chances(Namer(model, LABELS).rank(sound)))


@pytest.mark.usefixtures("onnx_cache")
def test_a_sound_that_was_asked_about_before_is_not_read_again(gguf_model, monkeypatch: pytest.MonkeyPatch):
    speaker = load_speaker(gguf_model)
    namer, known = Namer(speaker, LABELS), PrefixCache(speaker.engine)
    alone = namer.rank(LONG)
    assert namer.rank(LONG, known=known) == alone
    monkeypatch.setattr(speaker.engine, "read", lambda *_: pytest.fail("it was read again"))
    assert namer.rank(LONG, known=known) == alone


def test_a_text_is_recognised_as_caption_or_as_name(model):
    end = model.prompts.end_of_turn

    def said(question: str, answer: str) -> np.ndarray:
        return log_likelihood(model, prompt_about(model, question, SOUND), [[*model.vocabulary.text(answer), end]])

    expected = np.logaddexp(said(wording.CAPTION, "A dog barks."), said(wording.CLASSIFY, "a dog barks"))
    found = recognised(model, [SOUND, LONG], "A dog barks")
    assert found[0] == pytest.approx(float(expected[0]), rel=1e-4)
    assert len(found) == 2


def test_labels_must_differ_and_say_something(model):
    assert checked_labels([" dog", "rain "]) == ["dog", "rain"]
    with pytest.raises(LanguageError, match="'Dog' is given twice"):
        Namer(model, ["dog", "rain", "Dog "])
    for labels in ([], ["dog", " "]):
        with pytest.raises(LanguageError, match="at least one label"):
            Namer(model, labels)
    with pytest.raises(LanguageError, match="window"):
        Namer(model, LABELS).rank(SOUND, window=0.0)
