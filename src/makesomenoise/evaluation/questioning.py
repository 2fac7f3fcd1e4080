"""How well the model answers questions about scenes, whose answers are exact since the scenes were made.

The choices of a question are ranked by how likely the model finds them after the sound and the question; beside it
stand the answer that is right most often and what is ranked first when the question is asked without the sound. The
model is also asked for its own words.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import TYPES, Question, asked_about, heard_in, parts, scene_questions
from makesomenoise.evaluation.answering import asked
from makesomenoise.evaluation.code_clips import plain
from makesomenoise.evaluation.parts import Parts
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import greedy_answers
from makesomenoise.language.model import LanguageModel

_NEAR_SECONDS = 0.5
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass(frozen=True, slots=True)
class Answered:
    """How questions of one type were answered; shares are 0 to 1.

    Attributes:
        questions: how many there are.
        with_sound: share in which the right choice is ranked first.
        less_without: the same after what the choices score without the sound has been subtracted.
        without_sound: share in which it is ranked first when there is no sound.
        majority: share that always giving the most frequent answer would get right.
        chance: share that guessing among the choices would get right.
        free: share in which the model's own words are the answer, whatever the case and punctuation.
        near: share in which its own words name a moment within half a second of the right one; only for `start`.
    """

    questions: int
    with_sound: float
    less_without: float
    without_sound: float
    majority: float
    chance: float
    free: float
    near: float | None = None


Asked = list[tuple[CodeClip, list[Question]]]


def ask_scenes(clips: Sequence[CodeClip], seed: int = 0) -> Asked:
    """Each scene with what is asked about it.

    Args:
        clips: those that are no scenes are left out.
        seed: chooses what is asked and the wrong choices.
    """
    scenes = [clip for clip in clips if clip.events]
    pool = heard_in(scenes)
    return [(clip, scene_questions(clip, np.random.default_rng([seed, n]), pool)) for n, clip in enumerate(scenes)]


def question_scenes(model: LanguageModel, items: Asked, kept: Parts) -> dict[str, Answered]:
    """Asks what is known about each scene.

    Args:
        model: answers.
        items: scenes and questions, as `ask_scenes` gives them.
        kept: keeps scores and answers.

    Returns:
        By type of question; empty if there are no scenes.
    """
    end = model.prompts.end_of_turn

    def scored(some: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        return [[_scores(model, clip, question, end) for question in asks] for clip, asks in some]

    def said(some: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        return [
            greedy_answers(model, [asked(model, question.question, clip.codes) for question in asks]) if asks else []
            for clip, asks in some
        ]

    about = [[clip.key, *((q.question, q.choices) for q in asks)] for clip, asks in items]
    scores = kept.each("scene questions", about, items, scored)
    texts = kept.each("scene questions freely", about, items, said)
    rows = [
        (clip, question, found, text)
        for (clip, asks), scenes_scores, said_texts in zip(items, scores, texts, strict=True)
        for question, found, text in zip(asks, scenes_scores, said_texts, strict=True)
    ]
    return {kind: _answered(some) for kind in TYPES if (some := [row for row in rows if row[1].type == kind])}


def _scores(model: LanguageModel, clip: CodeClip, question: Question, end: int) -> list[list[float]]:
    """Scores of the choices with the sound and without it."""
    answers = [[*model.vocabulary.text(choice), end] for choice in question.choices]
    prompts = (asked(model, question.question, clip.codes), asked(model, question.question))
    return [[round(score, 4) for score in log_likelihood(model, prompt, answers).tolist()] for prompt in prompts]


Row = tuple[CodeClip, Question, list[list[float]], str]


def _answered(rows: Sequence[Row]) -> Answered:
    right = [question.choices.index(question.answer) for _, question, _, _ in rows]
    scores = [(np.array(heard), np.array(deaf)) for _, _, (heard, deaf), _ in rows]
    kind = rows[0][1].type
    return Answered(
        questions=len(rows),
        with_sound=_share(heard.argmax() == r for (heard, _), r in zip(scores, right, strict=True)),
        less_without=_share((heard - deaf).argmax() == r for (heard, deaf), r in zip(scores, right, strict=True)),
        without_sound=_share(deaf.argmax() == r for (_, deaf), r in zip(scores, right, strict=True)),
        majority=_majority([question for _, question, _, _ in rows]),
        chance=sum(1.0 / len(question.choices) for _, question, _, _ in rows) / len(rows),
        free=_share(plain(text) in (plain(q.answer), plain(q.short)) for _, q, _, text in rows),
        near=_share(_is_near(clip, q, text) for clip, q, _, text in rows) if kind == "start" else None,
    )


def _majority(questions: Sequence[Question]) -> float:
    """Right answers of who always gives the answer that is right most often."""
    return Counter(question.answer for question in questions).most_common(1)[0][1] / len(questions)


def _is_near(clip: CodeClip, question: Question, text: str) -> bool:
    start = asked_about(question, parts(clip.events))[0].start
    said = seconds_said(text)
    return said is not None and abs(said - start) <= _NEAR_SECONDS


def seconds_said(text: str) -> float | None:
    """The moment that an answer names, seconds, or nothing."""
    if "right away" in text.lower():
        return 0.0
    words = plain(text).split()
    number = _NUMBER.search(text)
    spelled = next((float(_WORDS.index(word)) for word in words if word in _WORDS), None)
    return float(number[0]) if number else spelled


def _share(outcomes: Iterable[bool]) -> float:
    return float(np.mean(list(outcomes)))
