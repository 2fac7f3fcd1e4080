"""The evaluation of a language model: asks every question once and writes JSON, Markdown and pictures.

What has been found is kept in the folder of the report: a run that was stopped goes on where it was, and a run with
other settings asks again only what depends on them.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from makesomenoise import checkpoint
from makesomenoise.data.codes import CodeClip, read_codes
from makesomenoise.evaluation.caption_scores import CaptionError, CaptionScorer
from makesomenoise.evaluation.captioning import describe_clips
from makesomenoise.evaluation.classifier import EventClassifier
from makesomenoise.evaluation.code_clips import chosen, digest
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.ear_judge import EarJudge
from makesomenoise.evaluation.ears import open_ears, refuse_teachers
from makesomenoise.evaluation.kept import Kept, kept_language
from makesomenoise.evaluation.language_markdown import language_markdown
from makesomenoise.evaluation.language_pictures import draw_language
from makesomenoise.evaluation.language_questions import (
    LanguageEvaluationError,
    LanguageQuestions,
    Sources,
    Subject,
)
from makesomenoise.evaluation.language_speed import cold_start, measure_language_speed
from makesomenoise.evaluation.machine import describe_machine
from makesomenoise.evaluation.making import Maker, names_task, scenes_task
from makesomenoise.evaluation.measuring import measure_scenes
from makesomenoise.evaluation.originals import Originals
from makesomenoise.evaluation.parts import Parts
from makesomenoise.evaluation.questioning import ask_scenes, question_scenes
from makesomenoise.evaluation.recognition import name_clips
from makesomenoise.evaluation.rivals import Rivals
from makesomenoise.evaluation.verdicts import EarListener, Listener
from makesomenoise.files import make_folder, write_text
from makesomenoise.pipeline import AudioLanguageModel

NAMED = ("esc50", "urbansound8k")
_MADE_OF, _WIDEST = "esc50", "label"  # tasks of the event classifier

_log = logging.getLogger(__name__)


def evaluate_language(sources: Sources, output: str | Path, questions: LanguageQuestions | None = None) -> dict:
    """Evaluates a language model.

    Args:
        sources: what to evaluate, and on what.
        output: folder that gets `results.json`, `results.md`, pictures, and in `parts` what was found so far.
        questions: what to ask.

    Returns:
        The content of `results.json`.

    Raises:
        LanguageEvaluationError: if there is no event classifier, or no clip to ask about.
        EarError: if an ear cannot be used, or was a teacher of the tokenizer or its vocoder.
        CodesError: if the code shards were made by another tokenizer.
        CheckpointError: if a model cannot be loaded.
        PipelineError: if the models do not belong together.
        ManifestError: if the corpus lacks a split.
    """
    asking = _Asking(sources, Path(output), questions or LanguageQuestions())
    results = asking.results()
    for name, text in (
        ("results.json", json.dumps(results, indent=2) + "\n"),
        ("results.md", language_markdown(results)),
    ):
        write_text(Path(output) / name, text)
    draw_language(results, Path(output))
    return results


class _Asking:
    """All that the questions share."""

    def __init__(self, sources: Sources, output: Path, questions: LanguageQuestions):
        self.sources, self.questions, self.sampling = sources, questions, questions.sampling
        self.ears = open_ears(sources.ears)
        self.model = AudioLanguageModel.load(sources.model, sources.tokenizer, questions.vocoder, questions.device)
        tokenizer = self.model.tokenizer
        refuse_teachers(self.ears, {str(sources.tokenizer): tokenizer})
        self.all = read_codes(sources.codes, tokenizer.fingerprint)
        self.clips = chosen(self.all, questions.limit, tokenizer.code_rate)
        _check(self.clips, sources.codes)
        self.corpus = Corpus.read(sources.corpus, questions.cache)
        self.classifier = _classifier(sources.classifier)
        self.weights = _weights(sources.model)
        make_folder(output)
        self.folder = output / "parts"
        self.parts = Parts(self.folder, json.dumps([self.weights, tokenizer.fingerprint, digest(self.all)]))

    def results(self) -> dict:
        """Every subject that is asked about, as `results.json` holds it."""
        ways: dict[Subject, Callable[[], Any]] = {
            "naming": self.naming,
            "captioning": self.captioning,
            "scenes": self.scenes,
            "making": self.making,
            "kept": self.kept,
            "speed": self.speed,
        }
        found = {}
        for subject in self.questions.ask:
            _log.info("asking about %s", subject)
            found[subject] = json.loads(json.dumps(ways[subject]()))
        return {
            "machine": describe_machine(),
            "settings": {
                **self.questions.model_dump(mode="json"),
                "model": str(self.sources.model),
                "weights": self.weights,
                "base": self.model.language.config.base,
                "tokenizer": self.model.tokenizer.fingerprint,
                "clips": sum(not clip.events for clip in self.clips),
                "scene_clips": sum(bool(clip.events) for clip in self.clips),
                "ears": {ear.name: ear.identity for ear in self.ears},
            },
            **found,
        }

    def naming(self) -> dict:
        """Each dataset with exact labels, and who else names it."""
        rivals = Rivals(self.model.tokenizer, self.classifier, self.corpus, self.parts)
        found = {}
        for dataset in NAMED:
            names = self._names(dataset)
            # Who else names them takes all clips, also where the model is asked about a few.
            some, every = (
                [clip for clip in clips if clip.dataset == dataset and clip.label in names]
                for clips in (self.clips, self.all)
            )
            if some:
                found[dataset] = {
                    **asdict(name_clips(self.model.language, some, names, self.parts)),
                    "classifier": rivals.classifier(every),
                    "probe": rivals.probe(every, names),
                }
        return found

    def captioning(self) -> dict:
        """Captions, or why there are none."""
        try:
            scorer = CaptionScorer()
        except CaptionError as error:
            return {"skipped": str(error)}
        found = describe_clips(self.model.language, self.clips, scorer, self.parts, self.questions.seed)
        return asdict(found) if found else {"skipped": "no clip has a label that is to be trusted"}

    def scenes(self) -> dict:
        """Questions about scenes, by type."""
        asked = ask_scenes(self.clips, self.questions.seed)
        found = question_scenes(self.model.language, asked, self.parts)
        about = [_weights(self.sources.tokenizer), self.questions.vocoder]
        measured = measure_scenes(asked, self.model, self.parts, about)
        return {kind: {**asdict(answered), "measured": measured.get(kind)} for kind, answered in found.items()}

    def making(self) -> dict:
        """Sounds of the names of a dataset, which ears hear too, and of scenes."""
        limit, sounds = self.questions.limit, self.questions.sounds
        originals = Originals(self.corpus, self.model.tokenizer.sample_rate)
        about = [
            self.weights,
            _weights(self.sources.tokenizer),
            self.questions.vocoder,
            _weights(self.sources.classifier),
        ]
        listeners = {task: Listener(self.classifier, task) for task in (_MADE_OF, _WIDEST)}
        names = self._names(_MADE_OF)[:limit]
        clips = [clip for clip in self.all if clip.dataset == _MADE_OF]
        count, rate = min(self.questions.scenes, limit or self.questions.scenes), self.model.tokenizer.code_rate
        tasks = {
            _MADE_OF: names_task(clips, names, sounds, self.questions.seconds),
            _WIDEST: scenes_task(self.all, listeners[_WIDEST].names, count, rate),
        }
        maker = Maker(self.model, originals, self.parts, about, self.questions.seed)
        found = {}
        for task, wanted in tasks.items():
            if wanted.wanted:
                ears = self._listeners(task) if task == _MADE_OF else []
                rows = maker.rows(wanted, listeners[task], self.sampling, ears)
                found[wanted.name] = {who: {name: asdict(r) for name, r in by.items()} for who, by in rows.items()}
        return found

    def _listeners(self, dataset: str) -> list[EarListener]:
        """The ears, which have learned the names of a dataset from original clips."""
        folder, rate = self.corpus.cache or self.folder, self.model.tokenizer.sample_rate
        judges = [EarJudge(ear, self.corpus.train, folder, [dataset]) for ear in self.ears]
        return [EarListener(judge, dataset, rate) for judge in judges]

    def kept(self) -> dict:
        """What is left of the base's language."""
        about = [field.name for field in fields(Kept)]  # an answer of an older version may lack some
        return self.parts.whole("kept", about, lambda: asdict(kept_language(self.model.language)))

    def speed(self) -> dict:
        """How fast; measured anew in each run."""
        q, models = self.questions, (self.sources.model, self.sources.tokenizer)
        speed = measure_language_speed(*models, q.vocoder, q.device, q.threads, self.sampling)
        return {**asdict(speed), "cold_start": asdict(cold_start(*models))}

    def _names(self, dataset: str) -> list[str]:
        return sorted({clip.label for clip in self.all if clip.dataset == dataset and clip.label})


def _check(clips: Sequence[CodeClip], folder: Path) -> None:
    if not clips or any(clip.split == "train" for clip in clips):
        raise LanguageEvaluationError(
            f"{folder} holds {'clips of the train split' if clips else 'no clips'}: give code shards of the validation "
            "split, made with `msn data encode`."
        )


def _classifier(folder: Path) -> EventClassifier:
    if not (folder / checkpoint.CONFIG_FILE).is_file():
        raise LanguageEvaluationError(
            f"No event classifier in {folder}: `msn evaluate tokenizer` trains one; name its folder."
        )
    return EventClassifier.load(folder)


def _weights(source: str | Path) -> str:
    """16 hexadecimal digits that change with any file of a model folder but its card."""
    folder = checkpoint.resolve(source)
    files = [folder / name for name in (checkpoint.CONFIG_FILE, checkpoint.WEIGHTS_FILE)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
