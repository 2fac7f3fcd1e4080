"""The evaluation of tokenizers: asks every question once and writes JSON, Markdown and pictures.

A run that was stopped goes on with the systems it has not judged yet.
"""

import importlib.util
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from makesomenoise import checkpoint
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.errors import RequestError
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.classifier_training import ClassifierRun, train_classifier
from makesomenoise.evaluation.codecs import find_codecs
from makesomenoise.evaluation.corpus import Corpus, subset
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.ears import open_ears, refuse_teachers
from makesomenoise.evaluation.judge import ORIGINALS, Judge
from makesomenoise.evaluation.machine import describe_machine
from makesomenoise.evaluation.markdown import as_markdown
from makesomenoise.evaluation.memory import peak_memory
from makesomenoise.evaluation.plots import Bar, Column, choose_panel, plot_panel, plot_survival
from makesomenoise.evaluation.probe import LabelledCodes, probe_codes
from makesomenoise.evaluation.speed import measure_speed, public_contenders, tokenizer_contender
from makesomenoise.evaluation.systems import System, TokenizerSystem, VocoderSystem
from makesomenoise.files import atomic_write, make_folder, write_text
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer

_PROBE_DATASET = "esc50"
_FEWEST_FOLDS = 2

_log = logging.getLogger(__name__)


class EvaluationError(RequestError):
    """An evaluation that cannot be made; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked, beside what survives and how close it is.

    Attributes:
        limit: code and judge at most so many clips of each dataset, for a quick look; None takes all. The probe, which
            decodes nothing, always takes all.
        least_clips: datasets with fewer clips are not judged on their own.
        codecs: also code with the classic codecs that are installed.
        probe: train probes on the codes.
        speed_seconds: length of sound for timing, 0 leaves timing out.
        public_codecs: also time the neural codecs of transformers.
        memory_minutes: length of file for the memory measurement, 0 leaves it out.
    """

    limit: int | None = None
    least_clips: int = 100
    codecs: bool = True
    probe: bool = True
    speed_seconds: float = 30.0
    public_codecs: bool = True
    memory_minutes: float = 60.0


def evaluate_tokenizer(
    tokenizers: Mapping[str, str | Path],
    corpus: Corpus,
    classifier_folder: str | Path,
    output_folder: str | Path,
    questions: Questions | None = None,
    vocoder: str | Path = "default",
    ears: Sequence[str | Path] = (),
) -> dict:
    """Evaluates tokenizers beside each other.

    Args:
        tokenizers: by the name for the report, what `AudioTokenizer.load` takes; the first is timed against others.
        corpus: clips to learn from and clips to judge.
        classifier_folder: the event classifier, trained and written there if the folder has none.
        output_folder: gets `results.json`, `results.md`, `survives.png` and `spectrograms.png`.
        questions: what to ask.
        vocoder: what `AudioTokenizer.load` takes.
        ears: outside ears to ask beside the classifier, as `Ear.open` takes them.

    Returns:
        The content of `results.json`.

    Raises:
        EvaluationError: if no tokenizer is given.
        EarError: if an ear cannot be used, or was a teacher of a tokenizer or of the vocoder.
        CheckpointError: if a tokenizer, the vocoder or the classifier cannot be loaded.
    """
    questions = questions or Questions()
    if not tokenizers:
        raise EvaluationError("No tokenizer to evaluate; name at least one.")
    opened = open_ears(ears)
    loaded = {name: AudioTokenizer.load(source, vocoder) for name, source in tokenizers.items()}
    refuse_teachers(opened, loaded)
    output = Path(output_folder)
    make_folder(output)
    first = next(iter(loaded.values()))
    judges = [EarJudge(ear, corpus.train, corpus.cache or output / "parts") for ear in opened]
    classifier = _classifier(Path(classifier_folder), corpus)
    store = ClipStore(subset(corpus.valid, questions.limit), first.sample_rate, corpus.cache)
    codecs = find_codecs() if questions.codecs else None
    systems: list[System] = [TokenizerSystem(name, tokenizer) for name, tokenizer in loaded.items()]
    systems += [VocoderSystem("mel and vocoder, no codes", first.mel, first.vocoder)]
    systems += codecs.systems if codecs else []

    results: dict = {
        "machine": describe_machine(),
        "settings": {
            **asdict(questions),
            "tokenizers": {name: _weights(source) for name, source in tokenizers.items()},
            "ears": {ear.name: ear.identity for ear in opened},
        },
        "systems": Judge(classifier, store, questions.least_clips, output / "parts", judges).judge(systems),
        "skipped": dict(codecs.skipped) if codecs else {},
    }
    if questions.probe:
        results["probe"] = {name: _probed(tokenizer, corpus) for name, tokenizer in loaded.items()}
    if questions.speed_seconds:
        results["speed"] = _timed(loaded, questions, results["skipped"])
    if questions.memory_minutes:
        source = next(iter(tokenizers.values()))
        results["peak_memory_bytes"] = peak_memory(source, vocoder, questions.memory_minutes)
    _write(output / "results.json", json.dumps(results, indent=2) + "\n")
    _write(output / "results.md", as_markdown(results))
    _draw(results["systems"], loaded, store, output)
    return results


def _classifier(folder: Path, corpus: Corpus) -> EventClassifier:
    if not (folder / checkpoint.CONFIG_FILE).is_file():
        _log.info("no event classifier in %s: training one", folder)
        train_classifier(ClipStore(corpus.train, 24_000, corpus.cache), folder, ClassifierRun())
    return EventClassifier.load(folder)


def _weights(source: str | Path) -> str:
    """Fingerprint of all weights, also those of the decoder."""
    folder = checkpoint.resolve(source)
    return checkpoint.fingerprint(checkpoint.load_config(folder, TokenizerConfig), checkpoint.load_arrays(folder))


def _probed(tokenizer: AudioTokenizer, corpus: Corpus) -> dict:
    """Probe of the codes, trained on the training clips of ESC-50 and tested on its validation clips."""
    train = [clip for clip in corpus.train if clip.dataset == _PROBE_DATASET]
    names = sorted({clip.label for clip in train})
    test = [clip for clip in corpus.valid if clip.dataset == _PROBE_DATASET]
    test = [clip for clip in test if clip.label in names]
    if len({clip.fold for clip in train}) < _FEWEST_FOLDS or not test:
        return {
            "skipped": f"it needs two folds of {_PROBE_DATASET} to learn from and clips of the same labels to test on"
        }
    known, held = (_labelled_codes(tokenizer, clips, names, corpus.cache) for clips in (train, test))
    result = probe_codes(known, held, tokenizer.codebook_size)
    return {"mean": result.mean, "deviation": result.deviation, "test_clips": len(test), **asdict(result)}


def _labelled_codes(
    tokenizer: AudioTokenizer, clips: list[Clip], names: list[str], cache: Path | None
) -> LabelledCodes:
    store = ClipStore(clips, tokenizer.sample_rate, cache)
    codes = [torch.from_numpy(tokenizer.encode(store.waveform(number)[None])[0]) for number in range(len(store))]
    return LabelledCodes(
        codes, torch.tensor([names.index(clip.label) for clip in clips]), [clip.fold for clip in clips]
    )


def _timed(loaded: Mapping[str, AudioTokenizer], questions: Questions, skipped: dict[str, str]) -> list[dict]:
    contenders = [tokenizer_contender(name, tokenizer) for name, tokenizer in loaded.items()]
    if questions.public_codecs and importlib.util.find_spec("transformers") is None:
        skipped["EnCodec, DAC, Mimi"] = "transformers not installed (pip install 'makesomenoise[evaluate]')"
    elif questions.public_codecs:
        contenders += public_contenders()
    return [asdict(speed) for speed in measure_speed(contenders, questions.speed_seconds)]


def _draw(figures: Mapping[str, dict], loaded: Mapping[str, AudioTokenizer], store: ClipStore, output: Path) -> None:
    bars = [
        Bar(name, row.get("fidelity", {}).get("all", {}).get("bits_per_second"), _accuracies(row["survives"]))
        for name, row in figures.items()
    ]
    with atomic_write(output / "survives.png") as temporary:
        plot_survival(bars, temporary)
    rows = choose_panel(store.clips)
    if rows:
        sounds = [torch.from_numpy(store.waveform(number)) for number in rows.values()]
        columns = [Column(ORIGINALS, sounds)]
        for name, tokenizer in loaded.items():
            columns.append(Column(name, [TokenizerSystem(name, tokenizer).code(sound).waveform for sound in sounds]))
        with atomic_write(output / "spectrograms.png") as temporary:
            plot_panel(list(rows), columns, LogMel(next(iter(loaded.values())).config.mel), temporary)


def _accuracies(survives: Mapping[str, dict]) -> dict[str, float]:
    return {dataset: result["accuracy"] for dataset, result in survives.items()}


def _write(path: Path, text: str) -> None:
    write_text(path, text)
