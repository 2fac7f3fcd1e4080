import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier

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
    together = classifier.judge(mels)
    assert together.features.shape == (3, 6)
    for row, clip in enumerate(mels):
        alone = classifier.judge([clip])
        torch.testing.assert_close(together.features[row], alone.features[0])
        torch.testing.assert_close(together.scores["esc50"][row], alone.scores["esc50"][0])


def test_a_long_clip_is_the_mean_of_its_windows(classifier: EventClassifier):
    first, second = mel(469), mel(469, 1)
    both = classifier.judge([torch.cat([first, second], dim=1)]).features[0]
    torch.testing.assert_close(both, classifier.judge([first, second]).features.mean(0))


def test_what_nobody_hears_is_not_judged(classifier: EventClassifier):
    quiet, quieter = torch.full((100, 469), -8.0), torch.full((100, 469), -16.0)
    assert torch.equal(classifier.judge([quiet]).features, classifier.judge([quieter]).features)


def test_a_dataset_without_a_task_of_its_own_is_judged_by_kind():
    assert CONFIG.task_of("esc50") == "esc50"
    assert CONFIG.task_of("debian") == "kind"


def test_saved_and_loaded_it_judges_the_same(classifier: EventClassifier, tmp_path):
    checkpoint.save_model(tmp_path, CONFIG, classifier.state_dict())
    loaded = EventClassifier.load(tmp_path)
    assert torch.equal(loaded.judge([mel(100)]).features, classifier.judge([mel(100)]).features)


def test_a_folder_without_classifier_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="not a model folder"):
        EventClassifier.load(tmp_path)
