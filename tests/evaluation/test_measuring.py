"""Levels and numbers are measured in what a tokenizer decodes, where the sounds are known to be."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import torch

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.evaluation.measuring import measure_scenes
from makesomenoise.evaluation.questioning import ask_scenes
from makesomenoise.language.prompts import Sound

RATE = 8000
EVENTS = (Event("dog", 0.5, 0.7, -12.0), Event("dog", 1.2, 1.4, -12.0), Event("rain", 2.0, 3.5, -30.0))


def scene(number: int) -> CodeClip:
    return CodeClip(f"scenes-0-{number}", (number,) * 16, 4.0, dataset="scenes", events=EVENTS)


@dataclass
class Speaker:
    """Renders any codes as one waveform."""

    waveform: np.ndarray
    tokenizer: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(sample_rate=RATE))
    decoded: int = 0

    def render(self, sound: Sound) -> torch.Tensor:
        assert len(sound.codes) == 16
        self.decoded += 1
        return torch.from_numpy(self.waveform)


def sounding(*spans: tuple[float, float, float]) -> np.ndarray:
    waveform = np.full(4 * RATE, 1e-4, np.float32)
    for start, end, level in spans:
        count = round((end - start) * RATE)
        waveform[round(start * RATE) :][:count] = level * np.sin(np.arange(count))
    return waveform


def test_a_faithful_tokenizer_lets_all_be_told(parts):
    faithful = Speaker(sounding((0.5, 0.7, 0.3), (1.2, 1.4, 0.3), (2.0, 3.5, 0.03)))
    assert measure_scenes(ask_scenes([scene(0)]), faithful, parts) == {"louder": 1.0, "count": 1.0}


def test_lost_bursts_and_levels_are_lost(parts):
    merged = Speaker(sounding((0.5, 1.4, 0.03), (2.0, 3.5, 0.3)))
    assert measure_scenes(ask_scenes([scene(0)]), merged, parts) == {"louder": 0.0, "count": 0.0}


def test_what_was_measured_is_kept(parts):
    speaker = Speaker(sounding((0.5, 0.7, 0.3)))
    asked = ask_scenes([scene(0), scene(1)])
    first = measure_scenes(asked, speaker, parts)
    assert speaker.decoded == 2
    assert measure_scenes(asked, speaker, parts) == first
    assert speaker.decoded == 2
    measure_scenes(asked, speaker, parts, about="another vocoder")
    assert speaker.decoded == 4


def test_scenes_that_are_asked_nothing_of_it_are_not_decoded(parts):
    speaker = Speaker(sounding())
    events = (Event("rain", 0.0, 1.5, -20.0), Event("wind", 2.0, 3.5, -20.0))
    quiet = CodeClip("scenes-0-9", (1,) * 16, 4.0, dataset="scenes", events=events)
    assert measure_scenes(ask_scenes([quiet]), speaker, parts) == {}
    assert speaker.decoded == 0
