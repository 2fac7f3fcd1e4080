"""The sound whose codes are kept here: five seconds of a tone, a sweep, clicks and noise, made of numbers alone."""

import numpy as np

SAMPLE_RATE = 24_000
SECONDS = 5


def golden_sound() -> np.ndarray:
    """[S] float32: the same samples on every machine to the last bit or nearly so."""
    time = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    tone = 0.3 * np.sin(2 * np.pi * 440.0 * time) * (time < 1.5)
    sweep = 0.2 * np.sin(2 * np.pi * (200.0 * time + 300.0 * time**2)) * ((time > 1.0) & (time < 3.0))
    clicks = 0.5 * (np.arange(len(time)) % 6000 < 24) * (time > 2.5)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, len(time)) * np.clip(time - 3.5, 0.0, 1.0)
    return (tone + sweep + clicks + noise).astype(np.float32)
