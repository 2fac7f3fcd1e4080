"""How well the model describes sounds, beside one caption for all of them and beside captions of other sounds.

The captions of other sounds, the model's own in another order, are what it would reach if it heard nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions import templates
from makesomenoise.data.sounds import NOISY, find
from makesomenoise.evaluation.answering import asked
from makesomenoise.evaluation.caption_scores import CaptionScorer, CaptionScores
from makesomenoise.evaluation.code_clips import plain
from makesomenoise.evaluation.parts import Parts
from makesomenoise.language import wording
from makesomenoise.language.listening import greedy_answers
from makesomenoise.language.model import LanguageModel

_AT_ONCE = 16
_FEWEST_WORDS = 2
_EXAMPLES = 12


@dataclass(frozen=True, slots=True)
class Captioned:
    """Captions against one kind of reference.

    Attributes:
        clips: how many have such references.
        model: the captions.
        constant: one caption for all, that of the most frequent sound among them.
        constant_caption: its words.
        shuffled: each clip with the caption of another.
    """

    clips: int
    model: CaptionScores
    constant: CaptionScores
    constant_caption: str
    shuffled: CaptionScores


@dataclass(frozen=True, slots=True)
class Captioning:
    """What the model said.

    Attributes:
        clips: how many were described.
        different: number of different captions.
        against: by kind of reference.
        examples: some clips: key, label or title, caption.
    """

    clips: int
    different: int
    against: dict[str, Captioned]
    examples: list[tuple[str, str, str]]


def describe_clips(
    model: LanguageModel, clips: Sequence[CodeClip], scorer: CaptionScorer, parts: Parts, seed: int = 0
) -> Captioning | None:
    """Captions the clips with a trusted label, and the scenes.

    Args:
        model: describes.
        clips: those without a trusted label are left out.
        scorer: compares captions.
        parts: keeps captions.
        seed: of the other order.

    Returns:
        None if no clip is left.
    """
    clips = [clip for clip in clips if clip.events or find(clip.label, clip.dataset)]
    if not clips:
        return None

    def said(some: Sequence[CodeClip]) -> list:
        return greedy_answers(model, [asked(model, wording.CAPTION, clip.codes) for clip in some])

    captions = parts.each("captioning", [clip.key for clip in clips], clips, said, _AT_ONCE)
    against = {kind: _scored(clips, captions, words, scorer, seed) for kind, words in REFERENCES.items()}
    examples = [(clip.key, clip.label or clip.title, text) for clip, text in zip(clips, captions, strict=True)]
    return Captioning(
        clips=len(clips),
        different=len(set(captions)),
        against={kind: found for kind, found in against.items() if found is not None},
        examples=examples[:: max(1, len(examples) // _EXAMPLES)][:_EXAMPLES],
    )


def _labels(clip: CodeClip) -> list[str]:
    name = find(clip.label, clip.dataset)
    return [clip.label, name.heard, name.happens] if name and not clip.events else []


def _titles(clip: CodeClip) -> list[str]:
    # Titles of collections named by file are paths in other words.
    title = clip.title.rsplit(".", 1)[0] if clip.dataset not in NOISY and not clip.events else ""
    title = " ".join(word for word in plain(title).split() if word.isalpha())
    return [title] if len(title.split()) >= _FEWEST_WORDS else []


def _scenes(clip: CodeClip) -> list[str]:
    return [clip.title] if clip.events and clip.title else []


REFERENCES: dict[str, Callable[[CodeClip], list[str]]] = {
    "labels": _labels,
    "titles": _titles,
    "captions by people": lambda clip: [text for text in clip.captions if plain(text)],
    "scenes": _scenes,
}


def _scored(
    clips: Sequence[CodeClip],
    captions: Sequence[str],
    words: Callable[[CodeClip], list[str]],
    scorer: CaptionScorer,
    seed: int,
) -> Captioned | None:
    pairs = [(clip, text, words(clip)) for clip, text in zip(clips, captions, strict=True) if words(clip)]
    if not pairs:
        return None
    said, references = [text for _, text, _ in pairs], [texts for _, _, texts in pairs]
    constant = _constant([clip for clip, _, _ in pairs])
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    shuffled = dict(zip(order, [said[number] for number in (*order[1:], order[0])], strict=True))
    return Captioned(
        clips=len(pairs),
        model=scorer(said, references),
        constant=scorer([constant] * len(pairs), references),
        constant_caption=constant,
        shuffled=scorer([shuffled[number] for number in range(len(pairs))], references),
    )


def _constant(clips: Sequence[CodeClip]) -> str:
    """The caption of the sound that occurs most often, of two in a row for scenes."""
    names = [find(label) for clip in clips for label in ({e.label for e in clip.events} or {clip.label})]
    heard = [name.happens for name in names if name is not None]
    scenes = any(clip.events for clip in clips)
    common = [text for text, _ in Counter(heard).most_common(2 if scenes else 1)]
    return templates.capital(templates.then(common)) + "."
