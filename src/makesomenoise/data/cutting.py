"""Scenes cut down to one of their sounds: what sounds alone is then known as exactly as the scene was."""

from dataclasses import replace

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.questions import overlapping, parts

_AROUND_SECONDS = 0.5


def alone(clip: CodeClip, rng: np.random.Generator, code_rate: float) -> CodeClip:
    """One sound of a scene, with some of the quiet before and after it.

    Args:
        clip: a scene; it stays as it is where its sounds are heard together.
        rng: chooses the sound and how much is left around it.
        code_rate: codes a second.
    """
    scene = parts(clip.events)
    if len(scene) < 2 or overlapping(scene):  # noqa: PLR2004 - nothing to cut off, or no place to cut
        return clip
    number = int(rng.integers(len(scene)))
    part = scene[number]
    quiet_from = scene[number - 1].end if number else 0.0
    quiet_to = scene[number + 1].start if number + 1 < len(scene) else clip.seconds
    start = rng.uniform(max(quiet_from, part.start - _AROUND_SECONDS), part.start)
    end = rng.uniform(part.end, max(part.end, min(quiet_to, part.end + _AROUND_SECONDS)))
    first, last = int(start * code_rate), int(np.ceil(end * code_rate))
    shift = first / code_rate
    events = tuple(
        replace(event, start=event.start - shift, end=event.end - shift)
        for event in clip.events
        if part.start <= event.start < part.end
    )
    return replace(
        clip,
        codes=clip.codes[first:last],
        seconds=min(last / code_rate, clip.seconds) - shift,
        sounding=(part.start - shift, part.end - shift),
        events=events,
    )
