from dataclasses import replace

import torch

from makesomenoise.data.clips import ClipStore
from makesomenoise.data.manifest import Clip
from makesomenoise.evaluation.classifier import ClassifierConfig, EventClassifier
from makesomenoise.evaluation.classifier_training import ClassifierRun, Examples, fit, train_classifier
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.metrics.classification import accuracy
from makesomenoise.nn.log_mel import LogMel

RUN = ClassifierRun(steps=80, batch=12, label_clips=99, mixup=0.3)
CLASSES = ("clicks", "noise", "tone")
TINY = ClassifierConfig(window_seconds=1.0, channels=(4, 8, 12, 16), feature_size=16, tasks={"esc50": CLASSES})


def log_mels(clips: list[Clip]) -> list[torch.Tensor]:
    store, mel = ClipStore(clips, 24_000), LogMel(TINY.mel)
    return [mel(torch.from_numpy(store.waveform(number))[None])[0] for number in range(len(store))]


def test_it_learns_tones_from_noise_and_clicks(corpus: Corpus):
    classifier = fit(TINY, corpus.train, log_mels(corpus.train), RUN)
    classes = torch.tensor([CLASSES.index(clip.label) for clip in corpus.valid])
    assert accuracy(classifier.judge(log_mels(corpus.valid)).scores["esc50"], classes) >= 5 / 6


def test_training_writes_a_classifier_of_the_labels_of_the_corpus(corpus: Corpus, tmp_path):
    trained = train_classifier(
        ClipStore(corpus.train, 24_000), tmp_path, RUN.model_copy(update={"steps": 1, "batch": 2})
    )
    loaded = EventClassifier.load(tmp_path)
    assert loaded.config.tasks == {"esc50": CLASSES, "kind": ("sfx",)}
    mels = log_mels(corpus.valid[:1])
    assert torch.equal(loaded.judge(mels).features, trained.judge(mels).features)


def test_batches_depend_on_seed_and_number_alone(corpus: Corpus):
    config = ClassifierConfig(tasks={"esc50": ("clicks", "noise", "tone"), "kind": ("sfx", "speech")})
    mels = [torch.randn(100, 94, generator=torch.Generator().manual_seed(i)).half() for i in range(len(corpus.train))]
    first, targets = Examples(config, corpus.train, mels, RUN).batch(3)
    again, _ = Examples(config, corpus.train, mels, RUN).batch(3)
    other, _ = Examples(config, corpus.train, mels, RUN).batch(4)
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
    classifier = fit(config, clips, [same] * len(clips), RUN.model_copy(update={"own_share": 0.5, "steps": 200}))
    scores = classifier.judge([same.float()]).scores["kind"][0]
    assert abs(scores[0] - scores[1]) < 0.7  # the frequencies alone would say log 9 = 2.2
