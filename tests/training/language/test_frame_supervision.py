"""Lower layers learn what sounds at every code; the upper ones and the base stay as they are."""

from pathlib import Path

import pytest
import torch

from makesomenoise.data.codes import CodeClip, Event
from makesomenoise.language.config import LanguageConfig, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.training.language.frame_supervision import (
    AnnotatedClips,
    FrameSupervisionBatches,
    FrameSupervisionTask,
)

RATE = 23.4375
LABELS, LEVELS = ("dog", "dog", "rain"), (-20.0, -20.0, -40.0)


@pytest.fixture(params=["llama", "qwen2"])
def language(request: pytest.FixtureRequest, bases: dict[str, Path]) -> LanguageModel:
    config = LanguageConfig(
        base=str(bases[request.param]), tokenizer_fingerprint="0" * 16, codebook_size=20, lora=LoraConfig(rank=4)
    )
    return LanguageModel.create(config, torch.randn(20, 8, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def clips() -> AnnotatedClips:
    """A dog is codes 0 to 4, rain 5 to 9, silence 10; a scene has both."""

    def scene(number: int) -> CodeClip:
        first = 8 + number
        codes = [10] * first + [number % 5] * 12 + [10] * 6 + [number % 5] * 12 + [10] * 6 + [5 + number % 5] * 20
        starts = [first, first + 18, first + 36]
        ends = [first + 12, first + 30, first + 56]
        events = tuple(
            Event(label, start / RATE, end / RATE - 0.05, level)
            for label, start, end, level in zip(
                ("dog", "dog", "rain"), starts, ends, (-20.0, -20.0, -40.0), strict=True
            )
        )
        return CodeClip(
            f"s{number}", tuple(codes), len(codes) / RATE, (0.0, len(codes) / RATE), dataset="scenes", events=events
        )

    return AnnotatedClips([scene(number) for number in range(6)], RATE)


def test_batches_say_what_is_known_of_every_code(language, clips):
    batch = FrameSupervisionBatches(clips, language.prompts, 20, 400)[17]
    spell = language.vocabulary
    tokens = batch["tokens"]
    code, end = (tokens >= spell.first) & (tokens < spell.start), tokens == spell.end
    dog, rain = ((tokens >= spell.first + a) & (tokens < spell.first + a + 5) for a in (0, 5))
    torch.testing.assert_close(batch["active"][..., 0] & code, dog, rtol=0, atol=0)
    torch.testing.assert_close(batch["active"][..., 1] & code, rain, rtol=0, atol=0)
    assert batch["active"][end].all()
    assert not batch["active"][~code & ~end].any()
    assert (batch["begun"][~code] == -1).all()
    assert set(batch["begun"][dog].tolist()) == {0, 1}
    assert (batch["level_db"][rain] == -40.0).all()
    assert batch["level_db"][~(dog | rain)].isnan().all()
    assert (batch["attention_mask"].sum(1) > 60).all()


def test_batches_depend_on_their_number_alone(language, clips):
    one, two = (FrameSupervisionBatches(clips, language.prompts, 20, 400) for _ in range(2))
    one[3]
    for name, tensor in two[18].items():
        torch.testing.assert_close(one[18][name], tensor, rtol=0, atol=0, equal_nan=True)
    with pytest.raises(IndexError):
        one[20]


def test_the_lower_layers_learn_and_nothing_else_moves(language, clips):
    learner = FrameSupervisionTask(language, len(clips.names), layers=1)
    batches = FrameSupervisionBatches(clips, language.prompts, 60, 400)
    before = {name: value.detach().clone() for name, value in language.named_parameters()}
    with learner.only_lower():
        moving = [parameter for parameter in learner.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(moving, 1e-2, weight_decay=0.0)
        losses = []
        for number in range(60):
            losses.append(learner(**batches[number]))
            losses[-1].loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    for kind, share in {"name": 0.5, "level": 0.5, "present": 0.5, "count": 0.8}.items():
        assert losses[-1].means[kind] < share * losses[0].means[kind], kind
    moved = {name for name, value in language.named_parameters() if not torch.equal(value, before[name])}
    assert all("lora" in name or "trainable_tokens" in name for name in moved)
    assert any(".layers.0." in name for name in moved)
    assert not any(".layers.1." in name for name in moved)
    assert {p.requires_grad for name, p in language.named_parameters() if "lora" in name} == {True}


def test_no_layer_above_is_run_and_all_are_there_afterwards(language, clips, monkeypatch):
    learner = FrameSupervisionTask(language, len(clips.names), layers=1)
    stack = language.causal.base_model
    count = len(stack.layers)
    monkeypatch.setattr(stack.layers[1], "forward", lambda *_, **__: pytest.fail("an upper layer was run"))
    learner(**FrameSupervisionBatches(clips, language.prompts, 1, 400)[0])
    assert len(stack.layers) == count > 1


def test_a_batch_of_which_little_is_known_has_a_loss(language):
    named = [CodeClip(f"d{n}", (n,) * 30, 1.28, (0.0, 1.28), dataset="esc50", label="dog") for n in range(4)]
    clips = AnnotatedClips(named, RATE)
    losses = FrameSupervisionTask(language, 1, 1)(**FrameSupervisionBatches(clips, language.prompts, 1, 100)[0])
    assert losses.counts["count"] == losses.counts["level"] == 0
    assert losses.means["count"] == losses.means["level"] == 0.0
    assert losses.loss.isfinite()
    losses.loss.backward()
    assert language.rows.grad.isfinite().all()


def test_what_was_learned_comes_back(language):
    first, second = (FrameSupervisionTask(language, 2, 1) for _ in range(2))
    with torch.no_grad():
        first.heads["name"].weight.fill_(0.25)
    state = {name: value.clone() for name, value in first.learned().items()}
    with torch.no_grad():
        language.rows.zero_()
    second.set_learned(state)
    assert (second.heads["name"].weight == 0.25).all()
    torch.testing.assert_close(language.rows, state[next(name for name in state if "trainable" in name)])
