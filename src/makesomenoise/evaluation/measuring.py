"""What decoded scenes still tell of levels and numbers to somebody who knows where every sound is.

A language model has to find that out as well: what is wrong here is the part of its errors that is not its own. Nothing
is learned: levels are measured, and rises of the level are counted.
"""

from collections.abc import Sequence

import numpy as np

from makesomenoise.data.bursts import decibels, rises
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import MOST_TIMES, Part, Question, asked_about, parts
from makesomenoise.data.sounds import find
from makesomenoise.evaluation.parts import Parts
from makesomenoise.language.prompts import Sound
from makesomenoise.pipeline import AudioLanguageModel

MEASURED = ("louder", "count")
_AROUND_SECONDS = 0.1  # what is decoded may begin a little early


def measure_scenes(
    asked: Sequence[tuple[CodeClip, Sequence[Question]]], speaker: AudioLanguageModel, kept: Parts, about: object = None
) -> dict[str, float]:
    """Share of the questions about levels and numbers that the decoded sound answers right.

    Args:
        asked: scenes and what is asked about each.
        speaker: its tokenizer decodes.
        kept: keeps what was measured.
        about: what the decoded sound depends on beside the codes, as JSON takes it.

    Returns:
        By type of question, 0 to 1; without types that are not asked.
    """
    items = [(clip, [q for q in asks if q.type in MEASURED]) for clip, asks in asked]
    items = [(clip, asks) for clip, asks in items if asks]

    def measured(some: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        rate = speaker.tokenizer.sample_rate
        return [_outcomes(clip, asks, speaker.render(Sound(clip.codes)), rate) for clip, asks in some]

    these = [about, [[clip.key, *(question.question for question in asks)] for clip, asks in items]]
    found = kept.each("scenes measured", these, items, measured)
    outcomes: dict[str, list[bool]] = {}
    for (_, asks), rights in zip(items, found, strict=True):
        for question, right in zip(asks, rights, strict=True):
            outcomes.setdefault(question.type, []).append(right)
    return {kind: float(np.mean(rights)) for kind, rights in outcomes.items()}


def _outcomes(clip: CodeClip, asks: Sequence[Question], waveform: np.ndarray, sample_rate: int) -> list[bool]:
    scene, answers = parts(clip.events), []
    for question in asks:
        named = asked_about(question, scene)
        if question.type == "louder":
            levels = {part.name.heard: decibels(_sounding(clip, part, waveform, sample_rate)) for part in named}
            answers.append(max(levels, key=levels.__getitem__) == question.short)
        else:
            answers.append(_times(named[0], waveform, sample_rate) == named[0].times)
    return answers


def _sounding(clip: CodeClip, part: Part, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """What is decoded while a sound lasts, its pauses left out."""
    events = [event for event in clip.events if find(event.label) == part.name]
    return np.concatenate([waveform[round(e.start * sample_rate) : round(e.end * sample_rate)] for e in events])


def _times(part: Part, waveform: np.ndarray, sample_rate: int) -> int:
    """How often the level rises from the beginning of a sound to its end, 1 to 3."""
    first, last = part.start - _AROUND_SECONDS, part.end + _AROUND_SECONDS
    heard = waveform[max(round(first * sample_rate), 0) : round(last * sample_rate)]
    return min(max(rises(heard, sample_rate), 1), MOST_TIMES)
