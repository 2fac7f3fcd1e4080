"""What else names the same clips: the event classifier on the originals, and a probe on the codes."""

from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.parts import Parts
from makesomenoise.evaluation.probe import LabelledCodes, probe_codes
from makesomenoise.evaluation.recognition import named
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.tokenizer.model import AudioTokenizer

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
        return torch.from_numpy(self._tokenizer.encode(store.waveform(number)[None])[0])


@torch.inference_mode()
def _heard(mel: LogMel, store: ClipStore, number: int) -> Tensor:
    return mel(torch.from_numpy(store.waveform(number))[None])[0]
