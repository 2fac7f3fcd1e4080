"""How often the model names a sound right: by how likely it finds each name of the dataset, and in its own words.

A name is scored by the log-likelihood of its tokens and of the end of the turn after them: their sum, or their mean,
which does not punish long names. Some names are likelier than others whatever is heard; what they score without a sound
is subtracted, in part or whole.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from makesomenoise.audio.mel import LogMel
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.cache import Parts
from makesomenoise.evaluation.code_probe import LabelledCodes, probe_codes
from makesomenoise.evaluation.event_classifier import EventClassifier
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language import wording
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.naming import PRIOR
from makesomenoise.language.prompts import Sound
from makesomenoise.metrics import accuracy, balanced_accuracy, confusion, normalize_text, top_accuracy
from makesomenoise.tokenizer.model import AudioTokenizer

STRENGTHS = (0.0, 0.5, 1.0)
MEAN, SUM = "mean", "sum"
USUAL = (SUM, f"{PRIOR:g}")  # what `msn classify` does
_TOP = 5
_AT_ONCE = 16
_MOST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Named:
    """How well clips were named.

    Attributes:
        accuracy: share of clips named right.
        top5: share of clips whose name is among the five best.
        macro: accuracy with each class weighing alike.
    """

    accuracy: float
    top5: float
    macro: float


@dataclass(frozen=True, slots=True)
class Naming:
    """What the model made of a dataset.

    Attributes:
        clips: how many were named.
        folds: of the dataset.
        names: the names to choose from, in order.
        named: by the sum over tokens, less half of what is scored without a sound, as `msn classify` does.
        accuracies: by how tokens are put together (`mean` or `sum`), then by the share of the scores without a sound
            that is subtracted.
        free: share of clips whose name is exactly what the model says by itself.
        confusion: [C][C] how often each class, in order, was taken for each, by the ranking of `named`.
    """

    clips: int
    folds: tuple[str, ...]
    names: tuple[str, ...]
    named: Named
    accuracies: dict[str, dict[str, float]]
    free: float
    confusion: list[list[int]]


def name_clips(model: LanguageModel, clips: Sequence[CodeClip], names: Sequence[str], parts: Parts) -> Naming:
    """Names the clips of one dataset.

    Args:
        model: names them.
        clips: at least one; their labels are among the names.
        names: to choose from.
        parts: keeps scores and answers.
    """
    about = [clips[0].dataset, [clip.key for clip in clips], list(names)]
    answers = [[*model.vocabulary.text(name), model.prompts.end_of_turn] for name in names]

    def scored(some: Sequence[CodeClip | None]) -> list:
        prompts = (prompt_about(model, wording.CLASSIFY, Sound(clip.codes) if clip else None) for clip in some)
        return [[round(score, 4) for score in log_likelihood(model, prompt, answers).tolist()] for prompt in prompts]

    def said(some: Sequence[CodeClip]) -> list:
        return greedy_answers(
            model, [prompt_about(model, wording.CLASSIFY, Sound(clip.codes)) for clip in some], _MOST_TOKENS
        )

    scores = torch.tensor(parts.each(f"naming {clips[0].dataset}", about, [None, *clips], scored))
    free = parts.each(f"naming freely {clips[0].dataset}", about, clips, said, _AT_ONCE)
    lengths = torch.tensor([len(answer) for answer in answers])
    return _naming(clips, names, scores[1:], scores[0], lengths, free)


def named(scores: Tensor, classes: Tensor) -> Named:
    """How well scores [B, C] name the classes [B]."""
    return Named(accuracy(scores, classes), top_accuracy(scores, classes, _TOP), balanced_accuracy(scores, classes))


def _naming(
    clips: Sequence[CodeClip], names: Sequence[str], scores: Tensor, prior: Tensor, lengths: Tensor, free: list[str]
) -> Naming:
    classes = torch.tensor([names.index(clip.label) for clip in clips])
    ways = {
        way: {f"{strength:g}": weight * (scores - strength * prior) for strength in STRENGTHS}
        for way, weight in ((SUM, torch.ones(len(names))), (MEAN, 1.0 / lengths))
    }
    best = ways[USUAL[0]][USUAL[1]]
    return Naming(
        clips=len(clips),
        folds=tuple(sorted({clip.fold for clip in clips})),
        names=tuple(names),
        named=named(best, classes),
        accuracies={way: {k: accuracy(v, classes) for k, v in found.items()} for way, found in ways.items()},
        free=sum(normalize_text(text) == normalize_text(clip.label) for text, clip in zip(free, clips, strict=True))
        / len(clips),
        confusion=confusion(best.argmax(1), classes, len(names)).tolist(),
    )


_FEWEST_FOLDS = 2


class Rivals:
    """Those that the model is measured against, on one corpus.

    Args:
        tokenizer: made the codes.
        classifier: knows originals.
        corpus: has the originals of the clips, and clips to train probes with.
        parts: keeps what is found.
    """

    def __init__(self, tokenizer: AudioTokenizer, classifier: EventClassifier, corpus: Corpus, parts: Parts):
        self._tokenizer, self._classifier, self._corpus, self._parts = tokenizer, classifier, corpus, parts

    def classifier(self, clips: Sequence[CodeClip]) -> dict:
        """How well the event classifier names the originals of clips of one dataset, or why it does not."""
        if clips[0].dataset not in self._classifier.config.tasks:
            return {"skipped": "the event classifier does not know these names"}
        about = [clip.key for clip in clips]
        return self._parts.whole(f"classifier {clips[0].dataset}", about, lambda: self._classified(clips))

    def probe(self, clips: Sequence[CodeClip], names: Sequence[str]) -> dict:
        """How well a probe names the codes of clips of one dataset, or why it does not."""
        dataset = clips[0].dataset
        train = [clip for clip in self._corpus.train if clip.dataset == dataset and clip.label in names]
        if len({clip.fold for clip in train}) < _FEWEST_FOLDS:
            return {"skipped": f"it needs two folds of {dataset} to learn from"}
        about = [[clip.key for clip in clips], [clip.key for clip in train]]
        return self._parts.whole(f"probe {dataset}", about, lambda: self._probed(train, clips, names))

    def _classified(self, clips: Sequence[CodeClip]) -> dict:
        originals = {clip.key: clip for clip in self._corpus.valid}
        present = [clip for clip in clips if clip.key in originals]
        if not present:
            return {"skipped": "the corpus has none of these clips"}
        mel = LogMel(self._classifier.config.mel)
        store = ClipStore([originals[clip.key] for clip in present], mel.config.sample_rate, self._corpus.cache)
        scores = self._classifier.judge([_heard(mel, store, number) for number in range(len(store))])
        names = self._classifier.config.tasks[clips[0].dataset]
        classes = torch.tensor([names.index(clip.label) for clip in present])
        return {"clips": len(present), **asdict(named(scores.scores[clips[0].dataset], classes))}

    def _probed(self, train: list[Clip], clips: Sequence[CodeClip], names: Sequence[str]) -> dict:
        store = ClipStore(train, self._tokenizer.sample_rate, self._corpus.cache)
        known = LabelledCodes(
            [self._encoded(store, number) for number in range(len(store))],
            torch.tensor([names.index(clip.label) for clip in train]),
            [clip.fold for clip in train],
        )
        held = LabelledCodes(
            [torch.tensor(clip.codes) for clip in clips],
            torch.tensor([names.index(clip.label) for clip in clips]),
            [clip.fold for clip in clips],
        )
        result = probe_codes(known, held, self._tokenizer.codebook_size)
        return {"clips": len(clips), "mean": result.mean, "deviation": result.deviation, "recipe": result.recipe}

    def _encoded(self, store: ClipStore, number: int) -> Tensor:
        device = next(self._tokenizer.network.parameters()).device
        return self._tokenizer.encode(torch.from_numpy(store.waveform(number))[None].to(device))[0].cpu()


@torch.inference_mode()
def _heard(mel: LogMel, store: ClipStore, number: int) -> Tensor:
    return mel(torch.from_numpy(store.waveform(number))[None])[0]
