"""Scenes, whole or cut down to one of their sounds, as conversations to learn from, by task.

What is asked and said follows from the events of a scene, which are exact since it was made.
"""

from collections.abc import Sequence

import numpy as np

from makesomenoise.data import phrasings
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.cutting import alone
from makesomenoise.data.mixture import Mixture
from makesomenoise.data.questions import (
    TYPES,
    Question,
    all_questions,
    described,
    heard_in,
    level_questions,
    parts,
    timeline,
    untold,
)
from makesomenoise.data.turns import heard, made, with_sound
from makesomenoise.language.prompts import Turn

_MOST_TRIES = 20


class SceneTasks:
    """Conversations about scenes; false if there are none.

    Args:
        clips: those that are no scenes are left out.
        code_rate: codes a second.
        mixture: what examples are like.
    """

    def __init__(self, clips: Sequence[CodeClip], code_rate: float, mixture: Mixture):
        self._scenes = [clip for clip in clips if clip.events]
        self._rate, self._mixture = code_rate, mixture
        # As often as they are heard, so that a name alone does not tell whether it is there.
        self._heard = heard_in(self._scenes)

    def __bool__(self) -> bool:
        return bool(self._scenes)

    def caption(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """What happens, in one sentence."""
        clip = self._some(rng)
        text = phrasings.capital(described(parts(clip.events))) + "."
        return heard(clip.codes, phrasings.question("caption", rng), text, rng)

    def question(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """Questions of the types that the mixture asks, and their answers, in one conversation."""
        count = 1 + int(rng.integers(self._mixture.follow_ups + 1))
        clip, questions = self._questions(rng)
        turns: tuple[Turn, ...] = ()
        for question in untold(questions, rng)[:count]:
            answer = Turn("assistant", (phrasings.answer(question.type, rng, answer=question.short),))
            said = (question.question,) if turns else with_sound(clip.codes, question.question, rng)
            turns += Turn("user", said), answer
        return turns

    def timeline(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """What starts in which second of a whole scene."""
        clip = self._whole(rng)
        return heard(clip.codes, phrasings.question("timeline", rng), timeline(clip.events), rng)

    def generate(self, rng: np.random.Generator) -> tuple[Turn, ...]:
        """Text to a scene."""
        clip = self._some(rng)
        return made(described(parts(clip.events)), clip.codes, self._rate, self._mixture.unconditional, rng)

    def _questions(self, rng: np.random.Generator) -> tuple[CodeClip, list[Question]]:
        """A scene and what it is to be asked: all there is where no scene that is drawn answers the wanted types."""
        types = self._mixture.question_types if rng.random() < self._mixture.types_share else TYPES
        for _ in range(_MOST_TRIES):
            clip = self._some(rng)
            wanted = self._of(types, clip, rng)
            if wanted:
                return clip, wanted
        clip = self._some(rng)
        return clip, self._of(TYPES, clip, rng)

    def _of(self, types: Sequence[str], clip: CodeClip, rng: np.random.Generator) -> list[Question]:
        found = all_questions(clip, rng, self._heard, varied=True)
        levels = level_questions(clip, rng) if "level" in types else []
        return [*(question for question in found if question.type in types), *levels]

    def _whole(self, rng: np.random.Generator) -> CodeClip:
        return self._scenes[int(rng.integers(len(self._scenes)))]

    def _some(self, rng: np.random.Generator) -> CodeClip:
        clip = self._whole(rng)
        return alone(clip, rng, self._rate) if rng.random() < self._mixture.alone_share else clip
