"""Keeps what was read of prompts, so that one which begins as another did is not read anew from its beginning.

Conversations begin as they did a turn ago, questions about one sound have that sound before them, and guidance compares
with the same prompt for all sounds of a length.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from makesomenoise.engine.base import LanguageEngine

# Tokens. A single one goes another way through the network than many, and what comes of it is rounded otherwise: at
# least two are read, so that a prompt gives the same however much of it was known.
_LEAST_READ = 2
_LEAST_KNOWN = 8


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """A prompt that was read.

    Attributes:
        state: a `LanguageState` of one row, which is to stay as it is.
        hidden: [1, H] what came of its last token.
    """

    state: Any
    hidden: np.ndarray


class PrefixCache:
    """Reads prompts, and remembers the latest.

    Args:
        engine: reads.
        most_tokens: of all prompts that are remembered; 46 kB each with the default base.
    """

    def __init__(self, engine: LanguageEngine, most_tokens: int = 2048):
        self._engine, self._most_tokens = engine, most_tokens
        self._known: OrderedDict[tuple[int, ...], ReadPrompt] = OrderedDict()  # the latest last

    def read(self, prompt: tuple[int, ...]) -> ReadPrompt:
        """Reads a prompt, or what of it no other one began with."""
        found = self._known.pop(prompt, None) or self._newly_read(prompt)
        self._known[prompt] = found
        while sum(map(len, self._known)) > self._most_tokens:
            self._known.popitem(last=False)
        return found

    def _newly_read(self, prompt: tuple[int, ...]) -> ReadPrompt:
        before = max(self._known, key=lambda other: _shared(other, prompt), default=())
        shared = min(_shared(before, prompt), len(prompt) - _LEAST_READ)
        if shared < _LEAST_KNOWN:
            state, shared = self._engine.begin(1), 0
        else:
            state = self._known[before].state.chosen([0])
            state.crop(shared)
        hidden = self._engine.read(state, [prompt[shared:]])
        return ReadPrompt(state.chosen([0]), hidden)  # a copy takes no more memory than it needs


def _shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens two prompts begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
