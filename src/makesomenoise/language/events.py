"""What is heard when: answers about windows of a sound joined to events, and events as text that other programs read.

Subtitles (SRT, WebVTT) and the label tracks of Audacity take times in seconds from the start of the sound.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from makesomenoise.language.listening import Answered

WINDOW = 5.0


@dataclass(frozen=True)
class Event:
    """Something that is heard.

    Attributes:
        start: from when, seconds.
        end: until when, seconds.
        text: what it is.
    """

    start: float
    end: float
    text: str


def joined(answers: Iterable[Answered]) -> list[Event]:
    """Windows that follow each other to events: those of the same answer are one, and none reaches into the next.

    Args:
        answers: in the order of time; the last window may reach back into the one before.
    """
    found: list[Event] = []
    for answer in answers:
        if found and found[-1].text == answer.text:
            found[-1] = Event(found[-1].start, answer.end, answer.text)
        else:
            start = max(answer.start, found[-1].end) if found else answer.start
            found.append(Event(start, answer.end, answer.text))
    return found


def as_text(events: Sequence[Event]) -> str:
    """A line each, as in `0.0-5.0 s: A dog barks.` and its like."""
    return "".join(f"{event.start:.1f}-{event.end:.1f} s: {event.text}\n" for event in events)


def as_json(events: Sequence[Event]) -> str:
    """A list of objects with `start`, `end` and `text`."""
    rows = [asdict(event) | {"start": round(event.start, 3), "end": round(event.end, 3)} for event in events]
    return json.dumps(rows, ensure_ascii=False) + "\n"


def as_srt(events: Sequence[Event]) -> str:
    """SubRip subtitles."""
    return "\n".join(
        f"{number}\n{_clock(event.start, ',')} --> {_clock(event.end, ',')}\n{_line(event.text)}\n"
        for number, event in enumerate(events, 1)
    )


def as_vtt(events: Sequence[Event]) -> str:
    """WebVTT subtitles."""
    cues = (f"\n{_clock(event.start)} --> {_clock(event.end)}\n{_line(event.text)}\n" for event in events)
    return "WEBVTT\n" + "".join(cues).replace("&", "&amp;").replace("<", "&lt;")


def as_audacity(events: Sequence[Event]) -> str:
    """A label track of Audacity: start, end and text, separated by tabs."""
    return "".join(f"{event.start:.6f}\t{event.end:.6f}\t{_line(event.text)}\n" for event in events)


FORMATS: Mapping[str, Callable[[Sequence[Event]], str]] = {
    "text": as_text,
    "json": as_json,
    "srt": as_srt,
    "vtt": as_vtt,
    "audacity": as_audacity,
}


def _clock(seconds: float, point: str = ".") -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _line(text: str) -> str:
    """The text on one line, without what would end a cue or begin a field."""
    return " ".join(text.replace("-->", "->").split())
