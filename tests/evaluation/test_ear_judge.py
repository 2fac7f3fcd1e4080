"""A judge learns names from embeddings of originals, once, and sums up what it hears in other versions."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from makesomenoise.config import Teacher
from makesomenoise.data.manifest import Clip
from makesomenoise.engine.ears import Ear, EarError
from makesomenoise.evaluation.cache import ResultCache
from makesomenoise.evaluation.ear_judge import EarJudge, LinearJudge, refuse_teachers, that_taught_codes
from makesomenoise.evaluation.splits import Corpus
from makesomenoise.tokenizer.config import TokenizerConfig


class Model:
    """Names a clip by where its mean embedding is largest."""

    def predict_proba(self, embeddings: np.ndarray) -> np.ndarray:
        return embeddings / embeddings.sum(1, keepdims=True)


def clip(label: str, number: int, dataset: str = "esc50") -> Clip:
    return Clip(f"{label}-{number}", Path("a.wav"), 0, 1, dataset=dataset, label=label)


@pytest.fixture
def judge(ear: Ear, corpus: Corpus, tmp_path: Path) -> EarJudge:
    return EarJudge(ear, corpus.train, ResultCache(tmp_path / "cache"))


def test_names_are_learned_from_the_means_of_clips():
    def around(place: float, number: int) -> np.ndarray:
        return np.array([[place - 1, number % 3], [place + 1, number % 2]], np.float32)

    clips = [around(place, number) for place in (-2.0, 2.0) for number in range(9)]
    judge = LinearJudge.fit(clips, ["low"] * 9 + ["high"] * 9)
    scores = judge.scores([around(-2.0, 1), around(2.0, 1)])
    assert judge.names == ("high", "low")
    assert scores.argmax(1).tolist() == [1, 0]
    assert scores.sum(1).tolist() == pytest.approx([1.0, 1.0])


def test_an_ear_tells_tones_from_clicks(judge: EarJudge, corpus: Corpus):
    originals = judge.originals(corpus.valid)
    assert [frames.shape for frames in originals] == [(7, 4)] * 6
    found = judge.figures(corpus.valid, originals, originals)
    assert list(judge.judges) == list(found) == ["esc50"]
    # By loudness alone noise lies between the two, where no linear judge names it.
    assert (found["esc50"].clips, found["esc50"].accuracy, found["esc50"].top5_accuracy) == (
        6,
        pytest.approx(2 / 3),
        1.0,
    )
    assert (found["esc50"].agreement, found["esc50"].frechet_distance) == (1.0, pytest.approx(0.0, abs=1e-6))
    silent = [np.zeros_like(frames) for frames in originals]
    assert judge.figures(corpus.valid, originals, silent)["esc50"].accuracy == pytest.approx(1 / 3)  # all sound alike


def test_figures_are_counted(judge: EarJudge):
    judge.judges["esc50"] = LinearJudge("abcdefg", Model())
    clips = [clip("a", 0), clip("b", 1), clip("c", 2), clip("z", 3)]
    originals = [np.eye(7, dtype=np.float32)[[n, n]] + 0.1 for n in (0, 1, 6, 0)]
    shifted = [frames + np.arange(7, dtype=np.float32) / 10 for frames in originals]
    found = judge.figures(clips, originals, shifted)["esc50"]
    # The shift leaves what is heard first, and lifts the late names over the early ones behind it.
    assert (found.clips, found.accuracy, found.agreement) == (4, 0.5, 1.0)
    assert found.top5_accuracy == 0.75  # c is the fifth, after g and f, e, d; nobody knows z
    assert found.accuracy_error == pytest.approx((0.25 / 4) ** 0.5, rel=0.1)
    assert found.frechet_distance == pytest.approx(0.01 * sum(n * n for n in range(7)), rel=1e-3)


def test_datasets_with_one_clip_or_none_have_no_figures(judge: EarJudge):
    one = [np.ones((1, 4), np.float32)]
    assert judge.figures([clip("tone", 0)], one, one) == {}
    assert judge.originals([]) == []
    assert judge.figures([], [], []) == {}


def test_originals_are_heard_once(
    ear: Ear, judge: EarJudge, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = judge.originals(corpus.valid)
    monkeypatch.setattr(Ear, "listen", lambda *_: pytest.fail("heard again"))
    again = EarJudge(ear, corpus.train, ResultCache(tmp_path / "cache"))
    assert all((a == b).all() for a, b in zip(again.originals(corpus.valid), first, strict=True))
    assert again.identity == judge.identity
    assert len(list((tmp_path / "cache").iterdir())) == 2
    monkeypatch.undo()
    other = EarJudge(replace(ear, sha256="0" * 64), corpus.train[1:], ResultCache(tmp_path / "cache"))
    assert other.identity[0] != judge.identity[0]
    assert other.identity[-1] != judge.identity[-1]


def test_a_stop_leaves_no_half_of_a_file(ear: Ear, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Ear, "listen", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        EarJudge(ear, corpus.train, ResultCache(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_it_listens_at_any_rate(judge: EarJudge, tone):
    heard = judge.listen(tone(1.0, hz=200.0), 24_000)
    assert heard.mean() == pytest.approx(0.5 * 2 / np.pi, abs=0.01)  # the mean magnitude of a sine
    assert torch.from_numpy(heard).dtype == torch.float32


def test_a_corpus_without_names_to_learn_is_refused(ear: Ear, corpus: Corpus, tmp_path: Path):
    for train in ([], [replace(one, dataset="debian", trust="rough") for one in corpus.train], corpus.train[:1]):
        with pytest.raises(EarError, match="learns names from training clips of collections labelled by hand"):
            EarJudge(ear, train, ResultCache(tmp_path))
    with pytest.raises(EarError, match="training clips of urbansound8k with two labels"):
        EarJudge(ear, corpus.train, ResultCache(tmp_path), ["urbansound8k"])


@dataclass
class Tokenizer:
    config: TokenizerConfig
    vocoder: object


def test_an_ear_that_was_a_teacher_is_refused(ear: Ear):
    taught, other = Teacher(name=ear.name, sha256=ear.sha256), Teacher(name=ear.name, sha256="0" * 64)
    voice, mute = SimpleNamespace(teachers=(taught,)), SimpleNamespace(teachers=())
    refuse_teachers([ear], {"ours": Tokenizer(TokenizerConfig(teachers=(other,)), mute)})
    refuse_teachers([], {"ours": Tokenizer(TokenizerConfig(teachers=(taught,)), voice)})
    with pytest.raises(EarError, match=f"{ear.name} is among the teachers of the tokenizer of 'ours'"):
        refuse_teachers([ear], {"ours": Tokenizer(TokenizerConfig(teachers=(other, taught)), mute)})
    with pytest.raises(EarError, match=f"{ear.name} is among the teachers of the vocoder of 'ours'"):
        refuse_teachers([ear], {"ours": Tokenizer(TokenizerConfig(), voice)})


def test_an_ear_that_taught_codes_judges_on_and_is_named(ear: Ear):
    taught = TokenizerConfig(code_teachers=(Teacher(name=ear.name, sha256=ear.sha256),))
    mute = SimpleNamespace(teachers=())
    tokenizers = {"ours": Tokenizer(taught, mute), "baseline": Tokenizer(TokenizerConfig(), mute)}
    refuse_teachers([ear], {"ours": tokenizers["ours"]})
    assert that_taught_codes([ear], tokenizers) == {ear.name: ["ours"]}
    assert that_taught_codes([ear], {"baseline": tokenizers["baseline"]}) == {}
