"""How often the model classifies a sound right: by how likely it finds each label of the dataset, and in its own words.

A label is scored by the log-likelihood of its tokens and of the end of the turn after them: their sum, or their mean,
which does not punish long labels. Some labels are likelier than others whatever is heard; what they score without a
sound (the prior) is subtracted, in part or whole. Beside the model stand reference systems: the event classifier on the
originals, and a probe on the codes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.cache import Measurement, ResultCache
from makesomenoise.evaluation.code_probe import CODE_PROBE, MIN_FOLDS, LabelledCodes, encode_clips, probe_codes
from makesomenoise.evaluation.event_classifier import EventClassifier
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language import wording
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.naming import PRIOR
from makesomenoise.language.prompts import Sound
from makesomenoise.language.speaker import Speaker
from makesomenoise.metrics import accuracy, balanced_accuracy, confusion, normalize_text, top_accuracy
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.tokenizer.model import AudioTokenizer

LABEL_SCORES = Measurement("classification by label scores", version="1")
FREE_ANSWERS = Measurement("classification in own words", version="1")
CLASSIFIER_ON_ORIGINALS = Measurement("event classifier on originals", version="1")
PRIOR_WEIGHTS = (0.0, 0.5, 1.0)
MEAN, SUM = "mean", "sum"
DEFAULT_SCORE = (SUM, f"{PRIOR:g}")  # what `msn classify` does
_TOP = 5
_BATCH_SIZE = 16
_MAX_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Accuracies:
    """How well clips are classified; shares are 0 to 1.

    Attributes:
        accuracy: share of clips classified right.
        top5_accuracy: share of clips whose label is among the five best.
        balanced_accuracy: accuracy with each class weighing alike.
    """

    accuracy: float
    top5_accuracy: float
    balanced_accuracy: float

    @classmethod
    def of(cls, scores: Tensor, classes: Tensor) -> "Accuracies":
        """How well scores [B, C] tell the classes [B]."""
        return cls(accuracy(scores, classes), top_accuracy(scores, classes, _TOP), balanced_accuracy(scores, classes))


@dataclass(frozen=True, slots=True)
class Classification:
    """What the model made of a dataset.

    Attributes:
        clips: how many were classified.
        folds: of the dataset.
        labels: to choose from, in order.
        ranking: by the sum over tokens, less half of what is scored without a sound, as `msn classify` does.
        accuracy_by_score: by how tokens are put together (`mean` or `sum`), then by the share of the scores without a
            sound that is subtracted.
        free_text_accuracy: share of clips whose label is exactly what the model says by itself.
        confusion: [C][C] how often each class, in order, was taken for each, by `ranking`.
    """

    clips: int
    folds: tuple[str, ...]
    labels: tuple[str, ...]
    ranking: Accuracies
    accuracy_by_score: dict[str, dict[str, float]]
    free_text_accuracy: float
    confusion: list[list[int]]


def classify_clips(
    model: Speaker, clips: Sequence[CodeClip], labels: Sequence[str], cache: ResultCache
) -> Classification:
    """Classifies the clips of one dataset.

    Args:
        model: classifies them.
        clips: at least one; their labels are among the labels.
        labels: to choose from.
        cache: keeps scores and answers.
    """
    inputs = [wording.CLASSIFY, clips[0].dataset, [clip.key for clip in clips], list(labels)]
    answers = [[*model.vocabulary.text(label), model.prompts.end_of_turn] for label in labels]

    def score(batch: Sequence[CodeClip | None]) -> list:
        prompts = (prompt_about(model, wording.CLASSIFY, Sound(clip.codes) if clip else None) for clip in batch)
        return [[round(score, 4) for score in log_likelihood(model, prompt, answers).tolist()] for prompt in prompts]

    def answer(batch: Sequence[CodeClip]) -> list:
        prompts = [prompt_about(model, wording.CLASSIFY, Sound(clip.codes)) for clip in batch]
        return greedy_answers(model, prompts, _MAX_TOKENS)

    scores = torch.tensor(cache.map(LABEL_SCORES.of(clips[0].dataset), inputs, [None, *clips], score))
    texts = cache.map(FREE_ANSWERS.of(clips[0].dataset), inputs, clips, answer, _BATCH_SIZE)
    lengths = torch.tensor([len(answer) for answer in answers])
    return _classification(clips, labels, scores, lengths, texts)


def _classification(
    clips: Sequence[CodeClip], labels: Sequence[str], scores: Tensor, lengths: Tensor, texts: list[str]
) -> Classification:
    """Sums up scores [1 + B, C], of no sound and of each clip, of labels with these lengths in tokens [C]."""
    prior, scores = scores[0], scores[1:]
    classes = torch.tensor([labels.index(clip.label) for clip in clips])
    by_score = {
        way: {f"{weight:g}": factor * (scores - weight * prior) for weight in PRIOR_WEIGHTS}
        for way, factor in ((SUM, torch.ones(len(labels))), (MEAN, 1.0 / lengths))
    }
    best = by_score[DEFAULT_SCORE[0]][DEFAULT_SCORE[1]]
    right = sum(normalize_text(text) == normalize_text(clip.label) for text, clip in zip(texts, clips, strict=True))
    return Classification(
        clips=len(clips),
        folds=tuple(sorted({clip.fold for clip in clips})),
        labels=tuple(labels),
        ranking=Accuracies.of(best, classes),
        accuracy_by_score={way: {k: accuracy(v, classes) for k, v in found.items()} for way, found in by_score.items()},
        free_text_accuracy=right / len(clips),
        confusion=confusion(best.argmax(1), classes, len(labels)).tolist(),
    )


class ReferenceSystems:
    """Those that the model is measured against, on one corpus.

    Args:
        tokenizer: made the codes.
        classifier: knows originals.
        corpus: has the originals of the clips, and clips to train probes with.
        cache: keeps what is found.
    """

    def __init__(self, tokenizer: AudioTokenizer, classifier: EventClassifier, corpus: Corpus, cache: ResultCache):
        self._tokenizer, self._classifier, self._corpus, self._cache = tokenizer, classifier, corpus, cache
        self._classifier_weights = checkpoint.fingerprint(classifier.config, classifier.state_dict())

    def event_classifier(self, clips: Sequence[CodeClip]) -> dict:
        """How well the event classifier classifies the originals of clips of one dataset, or why it does not."""
        dataset = clips[0].dataset
        if dataset not in self._classifier.config.tasks:
            return {"skipped": "the event classifier does not know these labels"}
        inputs = [self._classifier_weights, [clip.key for clip in clips]]
        return self._cache.get(CLASSIFIER_ON_ORIGINALS.of(dataset), inputs, lambda: self._classify(clips))

    def code_probe(self, clips: Sequence[CodeClip], labels: Sequence[str]) -> dict:
        """How well a probe classifies the codes of clips of one dataset, or why it does not."""
        dataset = clips[0].dataset
        train = [clip for clip in self._corpus.train if clip.dataset == dataset and clip.label in labels]
        if len({clip.fold for clip in train}) < MIN_FOLDS:
            return {"skipped": f"it needs two folds of {dataset} to learn from"}
        inputs = [[clip.key for clip in clips], [clip.key for clip in train]]
        return self._cache.get(CODE_PROBE.of(dataset), inputs, lambda: self._probe(train, clips, labels))

    def _classify(self, clips: Sequence[CodeClip]) -> dict:
        originals = {clip.key: clip for clip in self._corpus.valid}
        present = [clip for clip in clips if clip.key in originals]
        if not present:
            return {"skipped": "the corpus has none of these clips"}
        mel = LogMel(self._classifier.config.mel)
        store = ClipStore([originals[clip.key] for clip in present], mel.config.sample_rate, self._corpus.cache)
        with torch.inference_mode():
            mels = [mel(torch.from_numpy(store.waveform(number))[None])[0] for number in range(len(store))]
        names = self._classifier.config.tasks[clips[0].dataset]
        classes = torch.tensor([names.index(clip.label) for clip in present])
        scores = self._classifier.classify(mels).scores[clips[0].dataset]
        return {"clips": len(present), **asdict(Accuracies.of(scores, classes))}

    def _probe(self, train: list[Clip], clips: Sequence[CodeClip], labels: Sequence[str]) -> dict:
        known = LabelledCodes.of(encode_clips(self._tokenizer, train, self._corpus.cache), train, labels)
        held = LabelledCodes.of([torch.tensor(clip.codes) for clip in clips], clips, labels)
        return probe_codes(known, held, self._tokenizer.codebook_size).to_dict()
