"""The evaluation of a language model: which questions are asked of it, and on what.

What was measured is kept in the folder of the report: a run that was stopped goes on where it was, and a run with other
settings measures again only what depends on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from makesomenoise import checkpoint
from makesomenoise.data.codes import CodeClip, read_codes
from makesomenoise.data.ontology import ontology
from makesomenoise.engine.ears import open_ears
from makesomenoise.evaluation.benchmark import measure_language_speed
from makesomenoise.evaluation.cache import ResultCache, model_digest
from makesomenoise.evaluation.cold_start import measure_caption_start
from makesomenoise.evaluation.ear_judge import EarJudge, refuse_teachers
from makesomenoise.evaluation.event_classifier import EventClassifier
from makesomenoise.evaluation.language.captioning import CaptionError, CaptionScorer, caption_clips
from makesomenoise.evaluation.language.classification import ReferenceSystems, classify_clips
from makesomenoise.evaluation.language.forgetting import cached_forgetting
from makesomenoise.evaluation.language.generation import (
    ClassifierListener,
    EarListener,
    GenerationEvaluator,
    Originals,
    label_prompts,
    scene_prompts,
)
from makesomenoise.evaluation.language.scene_qa import answer_questions, draw_questions, measure_decoded
from makesomenoise.evaluation.markdown import language_markdown
from makesomenoise.evaluation.plots import draw_language
from makesomenoise.evaluation.report import CACHE_FOLDER, EvaluationConfig, EvaluationError, run_evaluation
from makesomenoise.evaluation.splits import Corpus, code_subset, codes_digest
from makesomenoise.files import make_folder
from makesomenoise.language.sampling import GENERATING, Sampling
from makesomenoise.language.speaker import load_speaker, speaking_engine
from makesomenoise.pipeline import AudioLanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer

QuestionName = Literal["classification", "captioning", "scene_qa", "generation", "forgetting", "speed"]
QUESTIONS: tuple[QuestionName, ...] = (
    "classification",
    "captioning",
    "scene_qa",
    "generation",
    "forgetting",
    "speed",
)
CLASSIFIED = ("esc50", "urbansound8k")
_GENERATED, _WIDEST = "esc50", "label"  # tasks of the event classifier


class LanguageEvaluationConfig(EvaluationConfig):
    """What is asked of a language model, and how.

    Attributes:
        questions: what is asked.
        limit: ask about no more than so many clips of each dataset and so many scenes, and make sounds of no more than
            so many labels and so many scenes, for a quick look; none takes all.
        cache: folder that keeps decoded clips for later runs.
        device: where the models compute.
        engine: `onnx` for the default base on a CPU, `torch`, or `auto`, which is onnx where it can be.
        guidance: see `Sampling`.
        temperature: see `Sampling`.
        top_k: see `Sampling`.
        seed: of everything that is drawn.
        sounds: how many are made of each label.
        seconds: length of those.
        scenes: how many scenes are made from their captions.
        threads: of torch, while speed is measured.
    """

    questions: tuple[QuestionName, ...] = QUESTIONS
    cache: Path | None = None
    device: str = "cpu"
    engine: str = "auto"
    guidance: float = GENERATING.guidance
    temperature: float = GENERATING.temperature
    top_k: int = GENERATING.top_k
    seed: int = Field(default=0, ge=0)
    sounds: int = Field(default=4, ge=1)
    seconds: float = Field(default=5.0, gt=0.0)
    scenes: int = Field(default=100, ge=1)
    threads: int = Field(default=2, ge=1)

    @property
    def sampling(self) -> Sampling:
        """How codes are drawn."""
        return Sampling(temperature=self.temperature, top_k=self.top_k, guidance=self.guidance)


@dataclass(frozen=True)
class LanguageInputs:
    """Where everything is that an evaluation needs.

    Attributes:
        codes: folder of code shards of the validation split, with scenes.
        corpus: folder of the clips they were made from, and of clips to train probes with.
        classifier: folder of the event classifier.
        model: language model, as `AudioLanguageModel.load` takes it.
        tokenizer: as `AudioLanguageModel.load` takes it.
        ears: outside ears that hear generated sounds beside the event classifier, as `Ear.open` takes them.
        ontology: table of the names of sounds, see `Ontology.read`; none: the one that ships.
    """

    codes: Path
    corpus: Path
    classifier: Path
    model: str | Path = "language"
    tokenizer: str | Path = "default"
    ears: tuple[str | Path, ...] = ()
    ontology: Path | None = None


def evaluate_language(
    inputs: LanguageInputs, output: str | Path, config: LanguageEvaluationConfig | None = None
) -> dict:
    """Evaluates a language model.

    Args:
        inputs: what to evaluate, and on what.
        output: folder that gets `results.json`, `results.md`, pictures, and in `cache` what was measured so far.
        config: what to ask.

    Returns:
        The content of `results.json`.

    Raises:
        EvaluationError: if there is no event classifier, or no clip to ask about.
        EngineError: if the engine is not installed or cannot run a model.
        EarError: if an ear cannot be used, or was a teacher of the tokenizer or its vocoder.
        CodesError: if the code shards were made by another tokenizer.
        CheckpointError: if a model cannot be loaded.
        PipelineError: if the models do not belong together.
        ManifestError: if the corpus lacks a split.
    """
    config = config or LanguageEvaluationConfig()
    evaluation = _LanguageEvaluation(inputs, Path(output), config)
    questions = {name: evaluation.questions()[name] for name in config.questions}
    caches = (evaluation.cache, evaluation.ear_cache)
    results = run_evaluation(questions, evaluation.settings(), caches, language_markdown, Path(output))
    draw_language(results, Path(output))
    return results


class _LanguageEvaluation:
    """All that the questions share."""

    def __init__(self, inputs: LanguageInputs, output: Path, config: LanguageEvaluationConfig):
        self.inputs, self.config, self.sampling = inputs, config, config.sampling
        self.ears = open_ears(inputs.ears)
        self.engine = speaking_engine(inputs.model, config.device, config.engine)
        tokenizer = AudioTokenizer.load(inputs.tokenizer, config.vocoder, config.device, config.engine)
        self.language = load_speaker(inputs.model, config.device, self.engine)
        self.model = AudioLanguageModel(tokenizer, self.language)
        refuse_teachers(self.ears, {str(inputs.tokenizer): tokenizer})
        self.ontology = ontology(inputs.ontology)
        self.all = list(read_codes(inputs.codes, fingerprint=tokenizer.fingerprint, ontology=self.ontology))
        self.clips = code_subset(self.all, config.limit, tokenizer.code_rate)
        _check_split(self.clips, inputs.codes)
        self.corpus = Corpus.read(inputs.corpus, config.cache)
        self.classifier = _load_classifier(inputs.classifier)
        self.weights = model_digest(inputs.model)
        make_folder(output)
        identity = [self.weights, tokenizer.fingerprint, codes_digest(self.all), self.engine]
        self.cache = ResultCache(output / CACHE_FOLDER, identity, config.fresh)
        self.ear_cache = ResultCache(self.corpus.cache or output / CACHE_FOLDER, fresh=config.fresh)

    def questions(self) -> dict[QuestionName, Callable[[], Any]]:
        """What finds the answer to each question."""
        return {
            "classification": self.classification,
            "captioning": self.captioning,
            "scene_qa": self.scene_qa,
            "generation": self.generation,
            "forgetting": lambda: cached_forgetting(self.language, self.cache),
            "speed": self.speed,
        }

    def settings(self) -> dict:
        """What was evaluated, and how."""
        return {
            **self.config.model_dump(mode="json"),
            "engine": self.engine,
            "model": str(self.inputs.model),
            "weights": self.weights,
            "base": self.language.config.base,
            "tokenizer": self.model.tokenizer.fingerprint,
            "clips": sum(not clip.events for clip in self.clips),
            "scene_clips": sum(bool(clip.events) for clip in self.clips),
            "ears": {ear.name: ear.identity for ear in self.ears},
        }

    def classification(self) -> dict:
        """Each dataset with exact labels, and what the reference systems make of it."""
        references = ReferenceSystems(self.model.tokenizer, self.classifier, self.corpus, self.cache)
        found = {}
        for dataset in CLASSIFIED:
            labels = self._labels(dataset)
            # Reference systems take all clips, also where the model is asked about a few.
            some, every = (
                [clip for clip in clips if clip.dataset == dataset and clip.label in labels]
                for clips in (self.clips, self.all)
            )
            if some:
                found[dataset] = {
                    **asdict(classify_clips(self.language, some, labels, self.cache)),
                    "event_classifier": references.event_classifier(every),
                    "code_probe": references.code_probe(every, labels),
                }
        return found

    def captioning(self) -> dict:
        """Captions, or why there are none."""
        try:
            scorer = CaptionScorer()
        except CaptionError as error:
            return {"skipped": str(error)}
        found = caption_clips(self.language, self.clips, scorer, self.cache, self.config.seed)
        return asdict(found) if found else {"skipped": "no clip has a label that is to be trusted"}

    def scene_qa(self) -> dict:
        """Questions about scenes, by type."""
        items = draw_questions(self.clips, self.config.seed)
        found = answer_questions(self.language, items, self.cache)
        decoder = [model_digest(self.inputs.tokenizer), self.config.vocoder]
        decoded = measure_decoded(items, self.model, self.cache, decoder)
        return {kind: {**asdict(answers), "decoded_accuracy": decoded.get(kind)} for kind, answers in found.items()}

    def generation(self) -> dict:
        """Sounds of the labels of a dataset, which ears hear too, and of scenes."""
        config, rate = self.config, self.model.tokenizer.code_rate
        listeners = {task: ClassifierListener(self.classifier, task, self.ontology) for task in (_GENERATED, _WIDEST)}
        clips = [clip for clip in self.all if clip.dataset == _GENERATED]
        labels = self._labels(_GENERATED)[: config.limit]
        count = min(config.scenes, config.limit or config.scenes)
        prompt_sets = {
            _GENERATED: label_prompts(clips, labels, config.sounds, config.seconds),
            _WIDEST: scene_prompts(self.all, listeners[_WIDEST].names, count, rate),
        }
        sources = (self.inputs.tokenizer, self.inputs.classifier)
        models = [self.weights, *map(model_digest, sources), config.vocoder]
        originals = Originals(self.corpus, self.model.tokenizer.sample_rate, self.ontology)
        evaluator = GenerationEvaluator(self.model, originals, self.cache, models, config.seed)
        found = {}
        for task, prompts in prompt_sets.items():
            if prompts.prompts:
                ears = self._ear_listeners(task) if task == _GENERATED else []
                rows = evaluator.evaluate(prompts, listeners[task], self.sampling, ears)
                found[prompts.name] = {who: {name: asdict(r) for name, r in by.items()} for who, by in rows.items()}
        return found

    def speed(self) -> dict:
        """How fast; measured anew in each run."""
        config, models = self.config, (self.inputs.model, self.inputs.tokenizer)
        options = (config.vocoder, config.device, config.threads, self.sampling)
        speed = measure_language_speed(*models, *options, engine=self.engine)
        return {**asdict(speed), "cold_start": asdict(measure_caption_start(*models))}

    def _ear_listeners(self, dataset: str) -> list[EarListener]:
        """The ears, which have learned the labels of a dataset from original clips."""
        judges = [EarJudge(ear, self.corpus.train, self.ear_cache, [dataset]) for ear in self.ears]
        return [EarListener(judge, dataset, self.model.tokenizer.sample_rate, self.ontology) for judge in judges]

    def _labels(self, dataset: str) -> list[str]:
        return sorted({clip.label for clip in self.all if clip.dataset == dataset and clip.label})


def _check_split(clips: Sequence[CodeClip], folder: Path) -> None:
    if not clips or any(clip.split == "train" for clip in clips):
        raise EvaluationError(
            f"{folder} holds {'clips of the train split' if clips else 'no clips'}: give code shards of the validation "
            "split, made with `msn data encode`."
        )


def _load_classifier(folder: Path) -> EventClassifier:
    if not (folder / checkpoint.CONFIG_FILE).is_file():
        raise EvaluationError(f"No event classifier in {folder}: `msn evaluate tokenizer` trains one; name its folder.")
    return EventClassifier.load(folder)
