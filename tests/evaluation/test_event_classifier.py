"""The event classifier judges clips as each alone, and learns a small corpus."""

from dataclasses import replace

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.event_classifier import (
    ClassifierConfig,
    ClassifierTrainingConfig,
    EventClassifier,
    TrainingBatches,
    fit,
    train_classifier,
)
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.metrics import accuracy
from makesomenoise.nn.log_mel import LogMel

CONFIG = ClassifierConfig(channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": ("dog", "rain"), "kind": ("sfx",)})


@pytest.fixture(scope="module")
def classifier() -> EventClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EventClassifier(CONFIG).eval()


def mel(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(100, frames, generator=torch.Generator().manual_seed(seed))


def test_clips_of_unequal_length_are_judged_as_each_alone(classifier: EventClassifier):
    mels = [mel(30), mel(469, 1), mel(1000, 2)]
    together = classifier.classify(mels)
    assert together.features.shape == (3, 6)
    for row, clip in enumerate(mels):
        alone = classifier.classify([clip])
        torch.testing.assert_close(together.features[row], alone.features[0])
        torch.testing.assert_close(together.scores["esc50"][row], alone.scores["esc50"][0])


def test_a_long_clip_is_the_mean_of_its_windows(classifier: EventClassifier):
    first, second = mel(469), mel(469, 1)
    both = classifier.classify([torch.cat([first, second], dim=1)]).features[0]
    torch.testing.assert_close(both, classifier.classify([first, second]).features.mean(0))


def test_what_nobody_hears_is_not_judged(classifier: EventClassifier):
    quiet, quieter = torch.full((100, 469), -8.0), torch.full((100, 469), -16.0)
    assert torch.equal(classifier.classify([quiet]).features, classifier.classify([quieter]).features)


def test_a_dataset_without_a_task_of_its_own_is_judged_by_kind():
    assert CONFIG.task_of("esc50") == "esc50"
    assert CONFIG.task_of("debian") == "kind"


def test_saved_and_loaded_it_judges_the_same(classifier: EventClassifier, tmp_path):
    checkpoint.save_model(tmp_path, CONFIG, classifier.state_dict())
    loaded = EventClassifier.load(tmp_path)
    assert torch.equal(loaded.classify([mel(100)]).features, classifier.classify([mel(100)]).features)


def test_a_folder_without_classifier_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="not a model folder"):
        EventClassifier.load(tmp_path)


RUN = ClassifierTrainingConfig(steps=80, batch_size=12, min_clips_per_label=99, mixup_alpha=0.3)
CLASSES = ("clicks", "noise", "tone")
TINY = ClassifierConfig(window_seconds=1.0, channels=(4, 8, 12, 16), feature_size=16, tasks={"esc50": CLASSES})


def log_mels(clips: list[Clip]) -> list[torch.Tensor]:
    store, mel = ClipStore(clips, 24_000), LogMel(TINY.mel)
    return [mel(torch.from_numpy(store.waveform(number))[None])[0] for number in range(len(store))]


def test_it_learns_tones_from_noise_and_clicks(corpus: Corpus):
    classifier = fit(TINY, corpus.train, log_mels(corpus.train), RUN)
    classes = torch.tensor([CLASSES.index(clip.label) for clip in corpus.valid])
    assert accuracy(classifier.classify(log_mels(corpus.valid)).scores["esc50"], classes) >= 5 / 6


def test_training_writes_a_classifier_of_the_labels_of_the_corpus(corpus: Corpus, tmp_path):
    trained = train_classifier(
        ClipStore(corpus.train, 24_000), tmp_path, RUN.model_copy(update={"steps": 1, "batch_size": 2})
    )
    loaded = EventClassifier.load(tmp_path)
    assert loaded.config.tasks == {"esc50": CLASSES, "kind": ("sfx",)}
    mels = log_mels(corpus.valid[:1])
    assert torch.equal(loaded.classify(mels).features, trained.classify(mels).features)


def test_batches_depend_on_seed_and_number_alone(corpus: Corpus):
    config = ClassifierConfig(tasks={"esc50": ("clicks", "noise", "tone"), "kind": ("sfx", "speech")})
    mels = [torch.randn(100, 94, generator=torch.Generator().manual_seed(i)).half() for i in range(len(corpus.train))]
    first, targets = TrainingBatches(config, corpus.train, mels, RUN).batch(3)
    again, _ = TrainingBatches(config, corpus.train, mels, RUN).batch(3)
    other, _ = TrainingBatches(config, corpus.train, mels, RUN).batch(4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (12, 100, config.window_frames)
    torch.testing.assert_close(targets["esc50"].sum(1), torch.ones(12))
    torch.testing.assert_close(targets["kind"][:, 0], torch.ones(12))


def test_rare_kinds_are_named_as_readily_as_frequent_ones(corpus: Corpus):
    """Where sounds say nothing, a judge of nine clips of one kind and one of another must not prefer either."""
    clips = [replace(clip, kind="sfx" if number % 10 else "speech") for number, clip in enumerate(corpus.train)]
    config = TINY.model_copy(update={"tasks": {"kind": ("sfx", "speech")}})
    same = torch.full((100, 94), -3.0).half()
    classifier = fit(config, clips, [same] * len(clips), RUN.model_copy(update={"exact_fraction": 0.5, "steps": 200}))
    scores = classifier.classify([same.float()]).scores["kind"][0]
    assert abs(scores[0] - scores[1]) < 0.7  # the frequencies alone would say log 9 = 2.2
