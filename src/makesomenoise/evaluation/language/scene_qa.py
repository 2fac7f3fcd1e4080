"""How well the model answers questions about scenes, whose answers are exact since the scenes were made.

The choices of a question are ranked by how likely the model finds them after the sound and the question; beside it
stand the answer that is right most often and what is ranked first when the question is asked without the sound. The
model is also asked for its own words. What decoded scenes still tell of levels and numbers to somebody who knows where
every sound is, is the part of the errors that is not the model's own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.data.bursts import decibels, rises
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.scene_qa import (
    MOST_TIMES,
    TYPES,
    Part,
    Question,
    asked_about,
    heard_in,
    parts,
    scene_questions,
)
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.prompts import Sound
from makesomenoise.language.speaker import Speaker
from makesomenoise.metrics import normalize_text
from makesomenoise.pipeline import AudioLanguageModel

CHOICE_SCORES = Measurement("scene question scores", version="1")
FREE_ANSWERS = Measurement("scene questions in own words", version="1")
DECODED_LEVELS = Measurement("scene questions by decoded sound", version="1")
_NEAR_SECONDS = 0.5
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@dataclass(frozen=True, slots=True)
class AnswerAccuracy:
    """How questions of one type were answered; shares are 0 to 1.

    Attributes:
        questions: how many there are.
        accuracy: share in which the right choice is ranked first.
        accuracy_less_prior: the same after what the choices score without the sound has been subtracted.
        accuracy_without_sound: share in which it is ranked first when there is no sound.
        majority: share that always giving the most frequent answer would get right.
        chance: share that guessing among the choices would get right.
        free_text_accuracy: share in which the model's own words are the answer, whatever the case and punctuation.
        near_accuracy: share in which its own words name a moment within half a second of the right one, for `start`.
    """

    questions: int
    accuracy: float
    accuracy_less_prior: float
    accuracy_without_sound: float
    majority: float
    chance: float
    free_text_accuracy: float
    near_accuracy: float | None = None


SceneQuestions = list[tuple[CodeClip, list[Question]]]


def draw_questions(clips: Sequence[CodeClip], seed: int = 0) -> SceneQuestions:
    """Each scene with what is asked about it.

    Args:
        clips: those that are no scenes are left out.
        seed: chooses what is asked and the wrong choices.
    """
    scenes = [clip for clip in clips if clip.events]
    pool = heard_in(scenes)
    return [(clip, scene_questions(clip, np.random.default_rng([seed, n]), pool)) for n, clip in enumerate(scenes)]


def answer_questions(model: Speaker, items: SceneQuestions, cache: ResultCache) -> dict[str, AnswerAccuracy]:
    """Asks what is known about each scene.

    Args:
        model: answers.
        items: scenes and questions, as `draw_questions` gives them.
        cache: keeps scores and answers.

    Returns:
        By type of question; empty if there are no scenes.
    """
    end = model.prompts.end_of_turn

    def score(batch: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        return [[_scores(model, clip, question, end) for question in asks] for clip, asks in batch]

    def answer(batch: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        return [
            greedy_answers(model, [prompt_about(model, question.question, Sound(clip.codes)) for question in asks])
            if asks
            else []
            for clip, asks in batch
        ]

    inputs = [[clip.key, *((q.question, q.choices) for q in asks)] for clip, asks in items]
    scores = cache.map(CHOICE_SCORES, inputs, items, score)
    texts = cache.map(FREE_ANSWERS, inputs, items, answer)
    rows = [
        (clip, question, found, text)
        for (clip, asks), scenes_scores, said_texts in zip(items, scores, texts, strict=True)
        for question, found, text in zip(asks, scenes_scores, said_texts, strict=True)
    ]
    return {kind: _accuracy(some) for kind in TYPES if (some := [row for row in rows if row[1].type == kind])}


def _scores(model: Speaker, clip: CodeClip, question: Question, end: int) -> list[list[float]]:
    """Scores of the choices with the sound and without it."""
    answers = [[*model.vocabulary.text(choice), end] for choice in question.choices]
    prompts = (prompt_about(model, question.question, Sound(clip.codes)), prompt_about(model, question.question))
    return [[round(score, 4) for score in log_likelihood(model, prompt, answers).tolist()] for prompt in prompts]


Row = tuple[CodeClip, Question, list[list[float]], str]


def _accuracy(rows: Sequence[Row]) -> AnswerAccuracy:
    right = [question.choices.index(question.answer) for _, question, _, _ in rows]
    scores = [(np.array(heard), np.array(deaf)) for _, _, (heard, deaf), _ in rows]
    kind = rows[0][1].type
    return AnswerAccuracy(
        questions=len(rows),
        accuracy=_share(heard.argmax() == r for (heard, _), r in zip(scores, right, strict=True)),
        accuracy_less_prior=_share(
            (heard - deaf).argmax() == r for (heard, deaf), r in zip(scores, right, strict=True)
        ),
        accuracy_without_sound=_share(deaf.argmax() == r for (_, deaf), r in zip(scores, right, strict=True)),
        majority=_majority([question for _, question, _, _ in rows]),
        chance=sum(1.0 / len(question.choices) for _, question, _, _ in rows) / len(rows),
        free_text_accuracy=_share(
            normalize_text(text) in (normalize_text(q.answer), normalize_text(q.short)) for _, q, _, text in rows
        ),
        near_accuracy=_share(_is_near(clip, q, text) for clip, q, _, text in rows) if kind == "start" else None,
    )


def _majority(questions: Sequence[Question]) -> float:
    """Right answers of who always gives the answer that is right most often."""
    return Counter(question.answer for question in questions).most_common(1)[0][1] / len(questions)


def _is_near(clip: CodeClip, question: Question, text: str) -> bool:
    start = asked_about(question, parts(clip.events, clip.ontology))[0].start
    said = seconds_said(text)
    return said is not None and abs(said - start) <= _NEAR_SECONDS


def seconds_said(text: str) -> float | None:
    """The moment that an answer names, seconds, or nothing."""
    if "right away" in text.lower():
        return 0.0
    words = normalize_text(text).split()
    number = _NUMBER.search(text)
    spelled = next((float(_WORDS.index(word)) for word in words if word in _WORDS), None)
    return float(number[0]) if number else spelled


def _share(outcomes: Iterable[bool]) -> float:
    return float(np.mean(list(outcomes)))


MEASURED = ("louder", "count")
_AROUND_SECONDS = 0.1  # what is decoded may begin a little early


def measure_decoded(
    asked: Sequence[tuple[CodeClip, Sequence[Question]]],
    speaker: AudioLanguageModel,
    cache: ResultCache,
    decoder: object = None,
) -> dict[str, float]:
    """Share of the questions about levels and numbers that the decoded sound answers right.

    Args:
        asked: scenes and what is asked about each.
        speaker: its tokenizer decodes.
        cache: keeps what was measured.
        decoder: what the decoded sound depends on beside the codes, as JSON takes it.

    Returns:
        By type of question, 0 to 1; without types that are not asked.
    """
    items = [(clip, [q for q in asks if q.type in MEASURED]) for clip, asks in asked]
    items = [(clip, asks) for clip, asks in items if asks]

    def measure(batch: Sequence[tuple[CodeClip, list[Question]]]) -> list:
        rate = speaker.tokenizer.sample_rate
        return [_outcomes(clip, asks, speaker.render(Sound(clip.codes)), rate) for clip, asks in batch]

    inputs = [decoder, [[clip.key, *(question.question for question in asks)] for clip, asks in items]]
    found = cache.map(DECODED_LEVELS, inputs, items, measure)
    outcomes: dict[str, list[bool]] = {}
    for (_, asks), rights in zip(items, found, strict=True):
        for question, right in zip(asks, rights, strict=True):
            outcomes.setdefault(question.type, []).append(right)
    return {kind: float(np.mean(rights)) for kind, rights in outcomes.items()}


def _outcomes(clip: CodeClip, asks: Sequence[Question], waveform: np.ndarray, sample_rate: int) -> list[bool]:
    scene, answers = parts(clip.events, clip.ontology), []
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
    events = [event for event in clip.events if clip.ontology.find(event.label) == part.name]
    return np.concatenate([waveform[round(e.start * sample_rate) : round(e.end * sample_rate)] for e in events])


def _times(part: Part, waveform: np.ndarray, sample_rate: int) -> int:
    """How often the level rises from the beginning of a sound to its end, 1 to 3."""
    first, last = part.start - _AROUND_SECONDS, part.end + _AROUND_SECONDS
    heard = waveform[max(round(first * sample_rate), 0) : round(last * sample_rate)]
    return min(max(rises(heard, sample_rate), 1), MOST_TIMES)
