"""Turns of a conversation follow each other; replies hold text and whole sounds; what fails changes nothing."""

from itertools import pairwise

import pytest
import torch

from makesomenoise.language.config import LanguageError
from makesomenoise.language.dialogue import Dialogue
from makesomenoise.language.generation import stream_tokens
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import Sampling
from tests import factories

SOUND = Sound((3, 4, 5))


@pytest.fixture(autouse=True)
def short_replies(monkeypatch) -> None:
    monkeypatch.setattr("makesomenoise.language.dialogue._LONGEST_REPLY", 24)


@pytest.fixture
def dialogue(model) -> Dialogue:
    return Dialogue(model, seed=1, sampling=Sampling())


def test_turns_are_kept_in_order(dialogue):
    dialogue.attach(SOUND)
    dialogue.attach(Sound((1,)))
    reply = list(dialogue.say(" What are these? "))
    user, assistant = dialogue.turns
    assert user == Turn("user", (SOUND, Sound((1,)), "What are these?"))
    assert assistant.role == "assistant"
    text = "".join(part for part in reply if isinstance(part, str))
    assert "".join(part for part in assistant.parts if isinstance(part, str)) == text
    list(dialogue.say("And now?"))
    assert dialogue.turns[2] == Turn("user", ("And now?",))
    assert len(dialogue.turns) == 4


def test_sounds_in_a_reply_are_whole(model, monkeypatch):
    monkeypatch.setattr("makesomenoise.language.dialogue._LONGEST_REPLY", 60)
    sounds, seed = [], 0
    while not sounds and seed < 20:
        dialogue, seed = Dialogue(model, seed, Sampling(temperature=2.0)), seed + 1
        dialogue.attach(SOUND)  # else the base would answer, which knows no sounds
        parts = list(dialogue.say("And now?"))
        sounds += [part for part in parts if isinstance(part, Sound)]
        kept = dialogue.turns[-1].parts
        assert [part for part in kept if isinstance(part, Sound)] == [p for p in parts if isinstance(p, Sound)]
        assert not any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(kept))
    assert sounds
    assert all(sound.codes for sound in sounds)


def test_a_conversation_begins_anew_with_its_seed(dialogue):
    dialogue.attach(SOUND)
    first = list(dialogue.say("What is it?"))
    dialogue.attach(SOUND)
    dialogue.reset()
    assert dialogue.turns == ()
    dialogue.attach(SOUND)
    assert list(dialogue.say("What is it?")) == first


def test_a_reply_that_is_left_changes_nothing(dialogue):
    dialogue.attach(SOUND)
    next(dialogue.say("What is it?"))
    assert dialogue.turns == ()
    list(dialogue.say("Well?"))
    assert dialogue.turns[0] == Turn("user", (SOUND, "Well?"))


def test_what_does_not_fit_is_one_sentence_and_changes_nothing(dialogue):
    for text in ("", "  "):
        with pytest.raises(LanguageError, match="text is empty"):
            dialogue.say(text)
    with pytest.raises(LanguageError, match="sound is empty"):
        dialogue.attach(Sound(()))
    for wrong in (lambda: dialogue.attach(Sound((0,) * 3000)), lambda: dialogue.say("word " * 2000)):
        with pytest.raises(LanguageError, match=r"the context has 2048: start anew \(`/reset`\)"):
            wrong()
    list(dialogue.say("Hello"))
    assert dialogue.turns[0] == Turn("user", ("Hello",))


def test_who_asks_for_a_sound_gets_it_as_long_as_was_said(dialogue, model):
    (made,) = dialogue.say("Please make half a second of rain.")
    assert len(made.codes) == 12
    assert made.seconds == 0.5
    assert dialogue.turns == (
        Turn("user", ("Make this sound for 0.5 seconds: rain.",)),
        Turn("assistant", (made,)),
    )
    (other,) = dialogue.say("Please make half a second of rain.")
    assert other != made
    again = Dialogue(model, seed=1, sampling=Sampling())
    assert list(again.say("make half a second of rain")) == [made]
    (usual,) = again.say("Let me hear a dog")
    assert usual.seconds == 5.0


def test_a_sound_that_does_not_fit_is_refused_before_it_is_made(bases, codebook):
    model = factories.untrained(bases["llama"], codebook, context_tokens=256)
    dialogue = Dialogue(model, seed=1, sampling=Sampling())
    for said, sentence in (
        ("Make 1000 seconds of rain", r"at most 8\.\d s fit"),
        ("Make 0 seconds of rain", "above 0 s"),
    ):
        with pytest.raises(LanguageError, match=sentence):
            dialogue.say(said)
    list(dialogue.say("Make 5 seconds of rain"))
    with pytest.raises(LanguageError, match="start anew"):
        dialogue.say("Make 5 seconds of rain")


def test_without_any_sound_the_base_answers(dialogue, model, monkeypatch):
    asked = []
    stream = stream_tokens

    def spy(answering, *rest, **more):
        asked.append(answering)
        return stream(answering, *rest, **more)

    monkeypatch.setattr("makesomenoise.language.dialogue.stream_tokens", spy)
    list(dialogue.say("What is a dog?"))
    dialogue.attach(SOUND)
    list(dialogue.say("What is it?"))
    list(dialogue.say("And now?"))
    assert [answering is model for answering in asked] == [False, True, True]
    tokens = torch.tensor([model.vocabulary.text("a dog")])
    with model.network.disable_adapter():  # the rows of text are not learned
        torch.testing.assert_close(asked[0].hidden(tokens), model.hidden(tokens))
    assert asked[0].prompts.prompt([Turn("user", ("Hello",))]) == model.prompts.prompt([Turn("user", ("Hello",))])
