"""Who asks for a sound is understood in any words; who asks for anything else gets no sound."""

import pytest

from makesomenoise.language import wording
from makesomenoise.language.requests import SoundRequest, sound_request


@pytest.mark.parametrize(
    ("said", "text", "seconds"),
    [
        ("Make a sound of rain", "rain", None),
        ("Please make the sound of rain.", "rain", None),
        ("Generate the sound of a dog barking", "a dog barking", None),
        ("Can you play me some thunder?", "thunder", None),
        ("ten seconds of rain", "rain", 10.0),
        ("3s of rain, please", "rain", 3.0),
        ("rain for 3 seconds", "rain", 3.0),
        ("Let me hear a cat", "a cat", None),
        ("I want to hear ocean waves for half a minute", "ocean waves", 30.0),
        ("I'd like to hear a siren, please", "a siren", None),
        ("Could you please generate a 5-second clip of a train passing?", "a train passing", 5.0),
        ("hey, could you make me the sound of church bells for about 4 sec?", "church bells", 4.0),
        ("Create an audio clip of footsteps in snow lasting 2 minutes", "footsteps in snow", 120.0),
        ("make 2,5 seconds of wind", "wind", 2.5),
        ("synthesize a helicopter, 1.5 s", "a helicopter", 1.5),
        ("make the noise a cat makes", "a cat", None),
        ("Generate white noise", "white noise", None),
        ("play a rain sound", "rain", None),
        ("Give me a dog bark", "a dog bark", None),
        ("the sound of rain", "rain", None),
        ("Thanks! Now make a siren", "a siren", None),
        ("Make a sound.", "", None),
        ("make some noise for 2 seconds", "", 2.0),
        ("Can you make sounds?", "", None),
    ],
)
def test_sounds_that_are_asked_for_are_understood(said: str, text: str, seconds: float | None):
    assert sound_request(said) == SoundRequest(text, seconds)


def test_the_words_of_training_are_understood():
    asked = wording.GENERATE.format(length=wording.length(2.5), text="a dog barks")
    assert sound_request(asked) == SoundRequest("a dog barks", 2.5)
    assert sound_request(wording.ANYTHING.format(length=wording.length(1.0))) == SoundRequest("", 1.0)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Hello",
        "Again",
        "What is a dog?",
        "What does a dog sound like?",
        "Describe this sound.",
        "Is there a dog in this sound?",
        "Give me three names of dogs",
        "give me a poem about rain",
        "Make a list of animals",
        "Generate a caption for this sound",
        "Make it louder",
        "Make this sound again.",
        "Tell me a story about rain",
        "play chess with me",
        "do you like dogs?",
        "Continue this sound for 3 seconds.",
        "In which second does it start?",
        "How many times does it bark in 3 seconds",
        "make a sound of rain " * 100,
    ],
)
def test_what_asks_for_no_sound_gets_none(said: str):
    assert sound_request(said) is None
