"""Levels and numbers are measured in what a tokenizer decodes, where the sounds are known to be."""

from dataclasses import dataclass

import numpy as np
import torch

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.evaluation.measuring import measure_scenes
from makesomenoise.evaluation.questioning import ask_scenes

RATE = 8000
EVENTS = (Event("dog", 0.5, 0.7, -12.0), Event("dog", 1.2, 1.4, -12.0), Event("rain", 2.0, 3.5, -30.0))


def scene(number: int) -> CodeClip:
    return CodeClip(f"scenes-0-{number}", (number,) * 16, 4.0, dataset="scenes", events=EVENTS)


@dataclass
class Tokenizer:
    """Decodes any codes to one waveform."""

    waveform: np.ndarray
    sample_rate: int = RATE
    decoded: int = 0

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        self.decoded += len(codes)
        return torch.from_numpy(self.waveform)[None]


def sounding(*spans: tuple[float, float, float]) -> np.ndarray:
    waveform = np.full(4 * RATE, 1e-4, np.float32)
    for start, end, level in spans:
        count = round((end - start) * RATE)
        waveform[round(start * RATE) :][:count] = level * np.sin(np.arange(count))
    return waveform


def test_a_faithful_tokenizer_lets_all_be_told(parts):
    faithful = Tokenizer(sounding((0.5, 0.7, 0.3), (1.2, 1.4, 0.3), (2.0, 3.5, 0.03)))
    assert measure_scenes(ask_scenes([scene(0)]), faithful, parts) == {"louder": 1.0, "count": 1.0}


def test_lost_bursts_and_levels_are_lost(parts):
    merged = Tokenizer(sounding((0.5, 1.4, 0.03), (2.0, 3.5, 0.3)))
    assert measure_scenes(ask_scenes([scene(0)]), merged, parts) == {"louder": 0.0, "count": 0.0}


def test_what_was_measured_is_kept(parts):
    tokenizer = Tokenizer(sounding((0.5, 0.7, 0.3)))
    asked = ask_scenes([scene(0), scene(1)])
    first = measure_scenes(asked, tokenizer, parts)
    assert tokenizer.decoded == 2
    assert measure_scenes(asked, tokenizer, parts) == first
    assert tokenizer.decoded == 2
    measure_scenes(asked, tokenizer, parts, about="another vocoder")
    assert tokenizer.decoded == 4


def test_scenes_that_are_asked_nothing_of_it_are_not_decoded(parts):
    tokenizer = Tokenizer(sounding())
    events = (Event("rain", 0.0, 1.5, -20.0), Event("wind", 2.0, 3.5, -20.0))
    quiet = CodeClip("scenes-0-9", (1,) * 16, 4.0, dataset="scenes", events=events)
    assert measure_scenes(ask_scenes([quiet]), tokenizer, parts) == {}
    assert tokenizer.decoded == 0
