"""The evaluation of tokenizers: which questions are asked of them, and the pictures of the answers.

A run that was stopped goes on with the systems it has not judged yet.
"""

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from makesomenoise import checkpoint
from makesomenoise.data.clips import ClipStore
from makesomenoise.engine.ears import Ear, open_ears
from makesomenoise.evaluation.benchmark import (
    measure_codec_speed,
    measure_peak_memory,
    public_codecs,
    timed_tokenizer,
)
from makesomenoise.evaluation.cache import ResultCache, model_digest
from makesomenoise.evaluation.code_probe import CODE_PROBE, MIN_FOLDS, LabelledCodes, encode_clips, probe_codes
from makesomenoise.evaluation.ear_judge import EarJudge, refuse_teachers, that_taught_codes
from makesomenoise.evaluation.event_classifier import ClassifierTrainingConfig, EventClassifier, train_classifier
from makesomenoise.evaluation.markdown import tokenizer_markdown
from makesomenoise.evaluation.plots import Column, choose_panel, plot_accuracy, plot_panel
from makesomenoise.evaluation.report import CACHE_FOLDER, EvaluationConfig, EvaluationError, run_evaluation
from makesomenoise.evaluation.splits import Corpus, subset
from makesomenoise.evaluation.tokenizer.codecs import System, TokenizerSystem, VocoderSystem, find_codecs
from makesomenoise.evaluation.tokenizer.reconstruction import ORIGINALS, ReconstructionJudge
from makesomenoise.files import atomic_write, make_folder
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.tokenizer.model import AudioTokenizer

_PROBE_DATASET = "esc50"

_log = logging.getLogger(__name__)


class TokenizerEvaluationConfig(EvaluationConfig):
    """What is asked, beside how close decoded sound is and what is heard in it.

    Attributes:
        limit: code and judge no more than so many clips of each dataset, for a quick look; none takes all. The probe,
            which decodes nothing, always takes all.
        min_clips: datasets with fewer clips are not judged on their own.
        codecs: also code with the classic codecs that are installed.
        probe: train probes on the codes.
        speed_seconds: length of sound for timing, 0 leaves timing out.
        public_codecs: also time the neural codecs of transformers.
        memory_minutes: length of file for the memory measurement, 0 leaves it out.
    """

    min_clips: int = Field(default=100, ge=1)
    codecs: bool = True
    probe: bool = True
    speed_seconds: float = Field(default=30.0, ge=0.0)
    public_codecs: bool = True
    memory_minutes: float = Field(default=60.0, ge=0.0)


def evaluate_tokenizer(
    tokenizers: Mapping[str, str | Path],
    corpus: Corpus,
    classifier_folder: str | Path,
    output_folder: str | Path,
    config: TokenizerEvaluationConfig | None = None,
    ears: Sequence[str | Path] = (),
) -> dict:
    """Evaluates tokenizers beside each other.

    Args:
        tokenizers: by the name for the report, what `AudioTokenizer.load` takes; the first is timed against others.
        corpus: clips to learn from and clips to judge.
        classifier_folder: the event classifier, trained and written there if the folder has none.
        output_folder: gets `results.json`, `results.md`, `accuracy.png`, `spectrograms.png`, and in `cache` what was
            measured so far.
        config: what to ask.
        ears: outside ears to ask beside the classifier, as `Ear.open` takes them.

    Returns:
        The content of `results.json`.

    Raises:
        EvaluationError: if no tokenizer is given.
        EarError: if an ear cannot be used, or was a teacher of a tokenizer or of the vocoder.
        CheckpointError: if a tokenizer, the vocoder or the classifier cannot be loaded.
    """
    config = config or TokenizerEvaluationConfig()
    if not tokenizers:
        raise EvaluationError("No tokenizer to evaluate; name at least one.")
    opened = open_ears(ears)
    loaded = {name: AudioTokenizer.load(source, config.vocoder) for name, source in tokenizers.items()}
    refuse_teachers(opened, loaded)
    output = Path(output_folder)
    make_folder(output)
    evaluation = _TokenizerEvaluation(tokenizers, loaded, opened, corpus, config, output)
    return evaluation.run(Path(classifier_folder))


class _TokenizerEvaluation:
    """All that the questions share."""

    def __init__(
        self,
        sources: Mapping[str, str | Path],
        tokenizers: Mapping[str, AudioTokenizer],
        ears: Sequence[Ear],
        corpus: Corpus,
        config: TokenizerEvaluationConfig,
        output: Path,
    ):
        self.sources, self.tokenizers, self.ears = sources, tokenizers, ears
        self.corpus, self.config, self.output = corpus, config, output
        self.cache = ResultCache(output / CACHE_FOLDER, fresh=config.fresh)
        self.ear_cache = ResultCache(corpus.cache or output / CACHE_FOLDER, fresh=config.fresh)
        self.first = next(iter(tokenizers.values()))
        self.store = ClipStore(subset(corpus.valid, config.limit), self.first.sample_rate, corpus.cache)
        self.skipped: dict[str, str] = {}

    def run(self, classifier_folder: Path) -> dict:
        judges = [EarJudge(ear, self.corpus.train, self.ear_cache) for ear in self.ears]
        classifier = _load_classifier(classifier_folder, self.corpus)
        judge = ReconstructionJudge(classifier, self.store, self.config.min_clips, self.cache, judges)
        questions: dict[str, Callable[[], Any]] = {"systems": lambda: judge.judge(self.systems())}
        if self.config.probe:
            questions["code_probe"] = lambda: {name: self.probe(one) for name, one in self.tokenizers.items()}
        if self.config.speed_seconds:
            questions["speed"] = self.speed
        if self.config.memory_minutes:
            questions["peak_memory_bytes"] = self.peak_memory
        questions["skipped"] = lambda: self.skipped
        caches = (self.cache, self.ear_cache)
        results = run_evaluation(questions, self.settings(), caches, tokenizer_markdown, self.output)
        self.draw(results["systems"])
        return results

    def settings(self) -> dict:
        return {
            **self.config.model_dump(mode="json"),
            "tokenizers": {name: model_digest(source) for name, source in self.sources.items()},
            "ears": {ear.name: ear.identity for ear in self.ears},
            "code_teachers": that_taught_codes(self.ears, self.tokenizers),
        }

    def systems(self) -> list[System]:
        """Our tokenizers, what they could reach at most, and the codecs of this machine."""
        systems: list[System] = [TokenizerSystem(name, tokenizer) for name, tokenizer in self.tokenizers.items()]
        systems.append(VocoderSystem("mel and vocoder, no codes", self.first.mel, self.first.vocoder))
        if self.config.codecs:
            codecs = find_codecs()
            systems += codecs.systems
            self.skipped |= codecs.skipped
        return systems

    def probe(self, tokenizer: AudioTokenizer) -> dict:
        """Probe of the codes, trained on the training clips of ESC-50 and tested on its validation clips."""
        train = [clip for clip in self.corpus.train if clip.dataset == _PROBE_DATASET]
        labels = sorted({clip.label for clip in train})
        test = [clip for clip in self.corpus.valid if clip.dataset == _PROBE_DATASET and clip.label in labels]
        if len({clip.fold for clip in train}) < MIN_FOLDS or not test:
            return {
                "skipped": f"it needs two folds of {_PROBE_DATASET} to learn from and clips of the same labels to test"
            }

        def measure() -> dict:
            known, held = (
                LabelledCodes.of(encode_clips(tokenizer, clips, self.corpus.cache), clips, labels)
                for clips in (train, test)
            )
            return probe_codes(known, held, tokenizer.codebook_size).to_dict()

        inputs = [tokenizer.fingerprint, [clip.key for clip in train], [clip.key for clip in test]]
        return self.cache.get(CODE_PROBE.of(_PROBE_DATASET), inputs, measure)

    def speed(self) -> list[dict]:
        """Times of our tokenizers and of the codecs of transformers; measured anew in each run."""
        codecs = [timed_tokenizer(name, tokenizer) for name, tokenizer in self.tokenizers.items()]
        if self.config.public_codecs and importlib.util.find_spec("transformers") is None:
            self.skipped["EnCodec, DAC, Mimi"] = "transformers not installed (pip install 'makesomenoise[evaluate]')"
        elif self.config.public_codecs:
            codecs += public_codecs()
        return [asdict(speed) for speed in measure_codec_speed(codecs, self.config.speed_seconds)]

    def peak_memory(self) -> int:
        """Highest memory of coding a long file with the first tokenizer; measured anew in each run."""
        source = next(iter(self.sources.values()))
        return measure_peak_memory(source, self.config.vocoder, self.config.memory_minutes)

    def draw(self, systems: Mapping[str, dict]) -> None:
        with atomic_write(self.output / "accuracy.png") as temporary:
            plot_accuracy(systems, temporary)
        rows = choose_panel(self.store.clips)
        if rows:
            sounds = [torch.from_numpy(self.store.waveform(number)) for number in rows.values()]
            columns = [Column(ORIGINALS, sounds)]
            for name, tokenizer in self.tokenizers.items():
                system = TokenizerSystem(name, tokenizer)
                columns.append(Column(name, [system.reconstruct(sound).waveform for sound in sounds]))
            with atomic_write(self.output / "spectrograms.png") as temporary:
                plot_panel(list(rows), columns, LogMel(self.first.config.mel), temporary)


def _load_classifier(folder: Path, corpus: Corpus) -> EventClassifier:
    if not (folder / checkpoint.CONFIG_FILE).is_file():
        _log.info("no event classifier in %s: training one", folder)
        train_classifier(ClipStore(corpus.train, 24_000, corpus.cache), folder, ClassifierTrainingConfig())
    return EventClassifier.load(folder)
