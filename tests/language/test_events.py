"""What is heard when, as other programs read it."""

import json

from makesomenoise.language.events import FORMATS, Event, as_srt, as_vtt, joined
from makesomenoise.language.listening import Answered

EVENTS = [Event(0.0, 10.0, "A dog barks."), Event(3599.9996, 3661.5, "Rain --> & <thunder>\nfalls.")]


def test_windows_of_the_same_answer_are_one_event():
    answers = [Answered(0.0, 5.0, "A dog."), Answered(5.0, 10.0, "A dog."), Answered(10.0, 15.0, "Rain.")]
    answers.append(Answered(12.0, 17.0, "Wind."))  # the last reaches back
    assert joined(answers) == [Event(0.0, 10.0, "A dog."), Event(10.0, 15.0, "Rain."), Event(15.0, 17.0, "Wind.")]
    assert joined([]) == []


def test_events_are_written_as_other_programs_read_them():
    assert as_srt(EVENTS) == (
        "1\n00:00:00,000 --> 00:00:10,000\nA dog barks.\n\n"
        "2\n01:00:00,000 --> 01:01:01,500\nRain -> & <thunder> falls.\n"
    )
    assert as_vtt(EVENTS[:1]) == "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nA dog barks.\n"
    assert "Rain -> &amp; &lt;thunder> falls." in as_vtt(EVENTS)
    assert FORMATS["audacity"](EVENTS[:1]) == "0.000000\t10.000000\tA dog barks.\n"
    assert FORMATS["text"](EVENTS[:1]) == "0.0-10.0 s: A dog barks.\n"
    assert json.loads(FORMATS["json"](EVENTS[:1])) == [{"start": 0.0, "end": 10.0, "text": "A dog barks."}]
