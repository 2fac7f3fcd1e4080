"""Names are ranked by what they score, less what they score without a sound."""

import numpy as np
import pytest
import torch

from makesomenoise.data.codes import CodeClip
from makesomenoise.evaluation.cache import ResultCache
from makesomenoise.evaluation.event_classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.language.classification import ReferenceSystems, classify_clips
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.language.generation import stream_tokens
from makesomenoise.language.listening import greedy_answers, prompt_about
from makesomenoise.language.naming import Namer
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GREEDY

NAMES = ["cow", "dog", "rain"]


def clip(number: int, label: str) -> CodeClip:
    return CodeClip(f"c{number}", tuple(range(number, number + 9)), 0.4, dataset="esc50", fold="4", label=label)


# With no sound and of three clips.
SCORES = [[-1.0, -8.0, -1.0], [-2.0, -4.0, -9.0], [-3.0, -9.5, -9.0], [-5.0, -9.0, -5.2]]
SAID = ["Dog.", "a cow", "rain"]


def test_the_prior_and_the_length_of_a_name_decide(language_model, canned):
    clips = [clip(0, "dog"), clip(1, "cow"), clip(2, "rain")]
    cache = canned({"classification by label scores esc50": SCORES, "classification in own words esc50": SAID})
    found = classify_clips(language_model, clips, NAMES, cache)
    # As scored all are cows; less half of the prior a dog, a cow and a cow; less all of it they are dogs.
    assert found.accuracy_by_score["sum"] == {
        "0": pytest.approx(1 / 3),
        "0.5": pytest.approx(2 / 3),
        "1": pytest.approx(1 / 3),
    }
    assert found.ranking.accuracy == found.accuracy_by_score["sum"]["0.5"]
    assert found.confusion == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert found.ranking.top5_accuracy == 1.0
    assert found.ranking.balanced_accuracy == pytest.approx(2 / 3)
    assert found.free_text_accuracy == pytest.approx(2 / 3)  # "a cow" is not the name
    assert (found.clips, found.folds) == (3, ("4",))
    # With the end of the turn "rain" has five tokens, the others four: the mean does not punish it for that.
    assert found.accuracy_by_score["mean"]["0"] == pytest.approx(2 / 3)


def test_the_usual_ranking_is_that_of_classify(language_model, cache: ResultCache):
    clips = [clip(number, "dog") for number in range(6)]
    found = classify_clips(language_model, clips, NAMES, cache)
    ranked = [Namer(language_model, NAMES).rank(Sound(one.codes)) for one in clips]
    counts = torch.zeros(3, dtype=torch.int64)
    for first, *_ in ranked:
        counts[NAMES.index(first.label)] += 1
    assert found.confusion[1] == counts.tolist()


LABELS = ["clicks", "noise", "tone"]


class Coder:
    """Codes that tell the loudest of sounds from the others."""

    sample_rate, codebook_size = 24_000, 4

    def encode(self, waveform):
        return np.full((1, 12), int(4 * min(np.abs(waveform).mean(), 0.9)))


@pytest.fixture
def references(corpus: Corpus, cache) -> ReferenceSystems:
    config = ClassifierConfig(channels=(2, 3, 4, 5), feature_size=6, tasks={"esc50": tuple(LABELS)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = EventClassifier(config).eval()
    return ReferenceSystems(Coder(), classifier, corpus, cache)


def clips(corpus: Corpus, dataset: str = "esc50") -> list[CodeClip]:
    return [CodeClip(c.key, (1,) * 12, 1.0, dataset=dataset, fold="4", label=c.label) for c in corpus.valid]


def test_the_classifier_listens_to_the_originals(references, corpus):
    found = references.event_classifier(clips(corpus))
    assert found["clips"] == 6
    assert found["top5_accuracy"] == 1.0
    assert found["accuracy"] in {0.0, 1 / 6, 1 / 3, 1 / 2}  # a third of the clips are of each class
    assert references.event_classifier([*clips(corpus)[:1], CodeClip("gone", (1,), 1.0, dataset="esc50")])["clips"] == 1


def test_a_probe_is_trained_on_the_codes_of_the_training_clips(references, corpus):
    found = references.code_probe(clips(corpus), LABELS)
    assert found["test_clips"] == 6
    assert found["mean"] == pytest.approx(1 / 3)  # all codes are alike


def test_what_cannot_be_done_is_said(references, corpus):
    assert "does not know" in references.event_classifier(clips(corpus, "urbansound8k"))["skipped"]
    assert "two folds of urbansound8k" in references.code_probe(clips(corpus, "urbansound8k"), LABELS)["skipped"]
    assert "none of these" in references.event_classifier([CodeClip("gone", (1,), 1.0, dataset="esc50")])["skipped"]


def test_a_question_comes_after_its_sound(language_model):
    model = language_model
    assert prompt_about(model, "What?", Sound((1, 2))) == model.prompts.prompt([Turn("user", (Sound((1, 2)), "What?"))])
    assert prompt_about(model, "What?") == model.prompts.prompt([Turn("user", ("What?",))])


def test_answers_do_not_depend_on_the_batch(language_model):
    prompts = [prompt_about(language_model, "What is it?", Sound(tuple(range(n)))) for n in (2, 9, 16)]
    alone = [stream_tokens(language_model, prompt, 12, GREEDY, torch.Generator()) for prompt in prompts]
    decode = language_model.vocabulary.text_tokenizer.decode
    assert greedy_answers(language_model, prompts, 12) == [decode(list(tokens)).strip() for tokens in alone]
