"""The student learns average velocities of the teacher's ways, what is frozen stays, and a run resumes exactly."""

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
import torch
from torch import Tensor

from makesomenoise.checkpoint import model_fingerprint
from makesomenoise.errors import ConfigError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training import distillation
from makesomenoise.training.distillation import (
    Distillation,
    DistillConfig,
    Pairs,
    Ways,
    draw_pairs,
    jump_loss,
    teacher_of,
    walk,
)
from makesomenoise.training.optimization import OptimizerConfig
from makesomenoise.training.run import RunConfig
from makesomenoise.training.tokenizer import DataConfig, TokenizerTraining, TokenizerTrainingConfig, train_tokenizer
from tests.conftest import Tone
from tests.factories import SMALL

DISTILL = DistillConfig(steps=4, keep_every=2, batch_size=4, reuse=2, pool=4, flow_share=0.5)


def _generators(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


class Noises:
    """Examples of noise, which remembers which were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        self.asked.append(number)
        waveform = torch.rand(8192, generator=torch.Generator().manual_seed(number)) - 0.5
        return {"waveform": waveform, "sounding": torch.arange(8) < 5}


def _network(seed: int = 0) -> TokenizerNetwork:
    torch.manual_seed(seed)
    network = TokenizerNetwork(TokenizerConfig.model_validate(SMALL))
    torch.nn.init.normal_(network.decoder.network.mel_out.weight, std=0.1)  # which starts at zero
    return network.eval()


def test_the_kept_points_are_those_of_the_best_quality() -> None:
    network = _network()
    decoder = network.decoder
    latents, config = torch.randn(2, 8, 5), DISTILL.model_copy(update={"guidance": (3.0, 3.0)})
    ways = walk(teacher_of(decoder, config), latents, torch.ones(2, 20), config, _generators(0))
    assert ways.points.shape == (2, 3, 20, 100)
    assert ways.guidance.tolist() == [3.0, 3.0]
    noise = torch.randn(2, 20, 100, generator=_generators(0))
    mel = decoder.decode(latents, noise.transpose(1, 2), steps=4, guidance=3.0, quality="best")
    torch.testing.assert_close(ways.points[:, 0].float(), noise, atol=2e-3, rtol=0)
    torch.testing.assert_close(ways.points[:, -1].float(), decoder.standardise(mel), atol=4e-3, rtol=0)


def test_the_target_is_the_average_velocity(monkeypatch: pytest.MonkeyPatch) -> None:
    student = _network().decoder
    asked = {}

    def answering(
        _self: FlowDecoder, x: Tensor, _condition: object, t: Tensor, span: Tensor, guidance: Tensor
    ) -> Tensor:
        asked.update(x=x, t=t, span=span, guidance=guidance)
        return torch.zeros_like(x)

    monkeypatch.setattr(FlowDecoder, "average_velocity", answering)
    times = torch.tensor([0.0, 0.25, 1.0])
    heights = torch.tensor([[0.0, 1.0, 4.0], [2.0, 3.0, 1.0]])  # of two ways that are flat over frames and bands
    points = heights[:, :, None, None].expand(2, 3, 8, 100).half()
    ways = Ways(torch.zeros(2, 8, 2), points, torch.tensor([2.0, 3.0]), torch.ones(2, 8))
    loss = jump_loss(student, ways, Pairs(torch.tensor([0, 1]), torch.tensor([1, 2])), times)
    # (1 - 0) / 0.25 = 4 and (1 - 3) / 0.75 = -8/3.
    assert loss.item() == pytest.approx((16 + 64 / 9) / 2)
    assert asked["x"][:, 0, 0].tolist() == [0.0, 3.0]
    assert asked["t"].tolist() == [0.0, 0.25]
    assert asked["span"].tolist() == [0.25, 0.75]
    assert asked["guidance"].tolist() == [2.0, 3.0]
    halved = replace(ways, weight=torch.tensor([[1.0] * 8, [0.0] * 8]))
    assert jump_loss(student, halved, Pairs(torch.tensor([0, 1]), torch.tensor([1, 2])), times).item() == 16.0


def test_all_pairs_are_drawn_alike_or_as_jumps_say() -> None:
    drawn = draw_pairs(DistillConfig(steps=3), 6000, _generators(0))
    pairs = list(zip(drawn.first.tolist(), drawn.last.tolist(), strict=True))
    for first, last in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]:
        assert pairs.count((first, last)) == pytest.approx(1000, abs=120)
    drawn = draw_pairs(DistillConfig(steps=12, jumps={12: 0.25, 4: 0.75}), 4000, _generators(0))
    pairs = list(zip(drawn.first.tolist(), drawn.last.tolist(), strict=True))
    assert set(pairs) == {(0, 12), (0, 4), (4, 8), (8, 12)}
    assert pairs.count((0, 12)) == pytest.approx(1000, abs=120)


def test_each_way_is_drawn_as_often_as_asked_and_then_dropped() -> None:
    examples = Noises()
    distilling, student = Distillation(DISTILL, _network(), examples), _network(1).decoder
    for step in range(6):
        distilling.loss(student, step, _generators)
    assert examples.asked == list(range(14))  # a pool of 4 for the first step, two more for each further one
    assert sorted(distilling._groups) == [5, 6]


def test_what_is_drawn_depends_on_the_step_alone() -> None:
    student = _network(1).decoder
    whole, resumed = (Distillation(DISTILL, _network(), Noises()) for _ in range(2))
    losses = [whole.loss(student, step, _generators) for step in range(5)]
    assert torch.equal(resumed.loss(student, 4, _generators), losses[4])
    assert not torch.equal(losses[3], losses[4])


def test_devices_render_different_examples() -> None:
    seen = []
    for rank in (0, 1):
        examples = Noises()
        distilling = Distillation(DISTILL, _network(), examples)
        distilling.share(rank, 2)
        distilling.loss(_network(1).decoder, 0, _generators)
        seen.append(examples.asked)
    assert seen == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_a_student_learns_to_jump_where_its_teacher_walks() -> None:
    teacher, student = _network(), _network().decoder
    distilling = Distillation(DISTILL, teacher, Noises())
    batch = {name: value[None].repeat(2, *[1] * value.dim()) for name, value in Noises()[0].items()}
    untaught = distilling.distance(student, batch, _generators(7))
    optimizer = torch.optim.AdamW(student.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = distilling.loss(student, 0, _generators)  # one batch, again and again
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    assert distilling.distance(student, batch, _generators(7)) < untaught


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 12, "keep_every": 5}, "keep_every must be a divisor"),
        ({"batch_size": 16, "reuse": 3}, "reuse must be a divisor"),
        ({"batch_size": 16, "pool": 8}, "pool must be at least batch_size"),
        ({"jumps": {13: 1.0}}, "jumps must span 1 to"),
        ({"jumps": {1: 0.0}}, "a share above 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DistillConfig.from_dict(values)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> TokenizerTrainingConfig:
    """A distillation of six steps, of a model that was trained for two."""
    folder = tmp_path_factory.mktemp("distillation")
    (folder / "clips").mkdir()
    soundfile.write(folder / "clips" / "tone.wav", tone(0.8, 300.0).numpy(), 24_000)
    clips = (str(folder / "clips"),)
    plain = TokenizerTrainingConfig(
        model=TokenizerConfig.model_validate(SMALL),
        data=DataConfig(train=clips, valid=clips, crop_codes=8, valid_crops=2, short_crops_until=0.0),
        optimizer=OptimizerConfig(learning_rate=1e-2, warmup_steps=1),
        run=RunConfig(steps=2, valid_every=2, batch_size=2, threads=1),
    )
    start = str(train_tokenizer(plain, folder / "start"))
    run = plain.run.model_copy(update={"steps": 6})
    return plain.model_copy(update={"init_from": start, "freeze_codes": True, "distill": DISTILL, "run": run})


@pytest.fixture(scope="module")
def whole(config: TokenizerTrainingConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that configuration, trained in one go."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train_tokenizer(config, folder)
    return folder


@pytest.mark.parametrize("freeze_trunk", [True, False])
def test_only_what_may_learn_learns(
    config: TokenizerTrainingConfig, whole: Path, tmp_path: Path, freeze_trunk: bool
) -> None:
    if freeze_trunk:
        whole = tmp_path / "run"
        train_tokenizer(config.model_copy(update={"freeze_trunk": True}), whole)
    assert config.init_from is not None
    before = TokenizerNetwork.load(config.init_from)
    after = TokenizerNetwork.load(whole / "model")
    states = [network.state_dict() for network in (before, after)]
    moved = {name for name, tensor in states[1].items() if not torch.equal(tensor, states[0][name])}
    assert "decoder.network.step.jump.weight" in moved
    assert all(name.startswith("decoder.network") or name == "decoder.no_condition" for name in moved)
    trunk = {name for name in states[0] if name.startswith(("decoder.network.trunk.", "decoder.network.latents_in."))}
    assert trunk
    assert not moved & (trunk | {"decoder.no_condition"}) if freeze_trunk else moved & trunk
    first, second = (model_fingerprint(network.config, network.state_dict()) for network in (before, after))
    assert first == second


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_interrupted_distillation_goes_on_exactly(
    config: TokenizerTrainingConfig, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    if precision != config.run.precision:
        config = config.model_copy(update={"run": config.run.model_copy(update={"precision": precision})})
        whole = tmp_path / "whole"
        train_tokenizer(config, whole)
    loss = distillation.Distillation.loss

    def failing(self: Distillation, student: FlowDecoder, step: int, generators: distillation.Generators) -> Tensor:
        if step == 5:
            raise InterruptedError
        return loss(self, student, step, generators)

    with monkeypatch.context() as patch:
        patch.setattr(distillation.Distillation, "loss", failing)
        with pytest.raises(InterruptedError):
            train_tokenizer(config, tmp_path / "parts")
    train_tokenizer(config, tmp_path / "parts", resume=True)
    expected, parts = (
        torch.load(run / "last.ckpt", weights_only=False)["state_dict"] for run in (whole, tmp_path / "parts")
    )
    assert parts.keys() == expected.keys()
    assert not any("distillation" in name for name in expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(parts[name], tensor, atol=0, rtol=0, msg=name)


def test_a_run_logs_how_far_the_student_is_from_its_teacher(
    config: TokenizerTrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, float] = {}
    monkeypatch.setattr(TokenizerTraining, "log", lambda _self, name, value, **_: seen.update({name: float(value)}))
    short = config.run.model_copy(update={"steps": 2})
    train_tokenizer(config.model_copy(update={"run": short}), tmp_path / "run")
    assert seen["valid/teacher_distance"] > 0.0
