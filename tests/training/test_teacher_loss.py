"""A head learns what a teacher says; where the teacher says nothing, nothing is asked."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from makesomenoise.config import Teacher
from makesomenoise.engine.ears import EarError
from makesomenoise.errors import ConfigError
from makesomenoise.training.teacher_loss import FirstAnswers, TeacherHead, TeacherLossConfig

CONFIG = TeacherLossConfig(ear="net.onnx", cache="taught", window=2)
UNKNOWN = float("nan")


@pytest.fixture
def answers() -> FirstAnswers:
    """Embeddings of three values and two classes, one of them rare."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.rand((500, 3), generator=generator) * torch.tensor([1.0, 4.0, 9.0])
    scores = torch.tensor([[0.9, 0.01]]).expand(500, 2)
    return FirstAnswers(Teacher(name="net", sha256="0" * 64), torch.cat((embeddings, scores), 1), 3)


def head(answers: FirstAnswers, hidden: int | None = None, config: TeacherLossConfig = CONFIG) -> TeacherHead:
    torch.manual_seed(0)
    return TeacherHead(config, 4, answers, hidden)


def sample(answers: FirstAnswers, places: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, 4, places, generator=torch.Generator().manual_seed(1))
    return x, answers.values[: 2 * places].unflatten(0, (2, places))


def test_it_begins_with_how_often_classes_are_heard(answers: FirstAnswers) -> None:
    first = head(answers, config=CONFIG.model_copy(update={"weight": 0.0, "score_weight": 1.0}))
    x, taught = sample(answers, 8)
    share = torch.tensor([0.9, 0.01])
    entropy = -(share * share.log() + (1 - share) * (1 - share).log()).sum()
    assert first.loss(0 * x, taught).item() == pytest.approx(entropy.item(), rel=0.2)


def test_a_guess_of_the_mean_misses_by_the_variance(answers: FirstAnswers) -> None:
    first = head(answers, config=TeacherLossConfig(ear="n", cache="c", score_weight=0.0))
    with torch.no_grad():
        first.last.weight.zero_()
        first.last.bias.zero_()
    x, taught = sample(answers, 200)
    assert first.loss(x, taught).item() == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("hidden", [None, 16])
def test_it_learns_what_the_teacher_says(answers: FirstAnswers, hidden: int | None) -> None:
    taught_head = head(answers, hidden, TeacherLossConfig(ear="n", cache="c"))
    _, taught = sample(answers, 8)
    x = torch.cat((taught.transpose(1, 2)[:, :3].sqrt(), torch.ones(2, 1, 8)), 1)
    optimizer = torch.optim.Adam(taught_head.parameters(), 0.05)
    before = taught_head.loss(x, taught).item()
    for _ in range(100):
        optimizer.zero_grad()
        taught_head.loss(x, taught).backward()
        optimizer.step()
    assert taught_head.loss(x, taught).item() < 0.3 * before


def test_windows_where_nothing_is_known_are_not_asked(answers: FirstAnswers) -> None:
    first = head(answers)
    x, taught = sample(answers, 8)
    cut = taught.clone()
    cut[:, 5:] = UNKNOWN  # of the windows of two places, the third is not whole
    torch.testing.assert_close(first.loss(x, cut), first.loss(x[..., :4], taught[:, :4]))
    cut[:] = UNKNOWN
    x.requires_grad_()
    loss = first.loss(x, cut)
    loss.backward()
    assert loss == 0.0
    assert x.grad is not None
    assert (x.grad == 0.0).all()


def test_a_teacher_needs_a_folder_for_its_answers() -> None:
    with pytest.raises(ConfigError, match="needs a folder for its answers: name it in cache"):
        TeacherLossConfig.from_dict({"ear": "net.onnx"}, origin="the test")


def test_no_ear_teaches_nothing_and_a_missing_one_is_said(tmp_path: Path) -> None:
    assert TeacherLossConfig().open([], 24_000) is None
    with pytest.raises(EarError, match="No ear at"):
        TeacherLossConfig(ear=str(tmp_path / "none.onnx"), cache=str(tmp_path)).open([], 24_000)
