"""Scenes are put together again as they were, or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data.clips import ClipStore
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.manifest import Clip
from makesomenoise.data.scenes import SceneMaker
from makesomenoise.evaluation.corpus import Corpus
from makesomenoise.evaluation.originals import Originals

RATE = 24_000


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Noises under the names of sounds, and one under no name that is trusted."""
    folder, clips = tmp_path_factory.mktemp("named"), []
    for number, label in enumerate(("rain", "siren", "chainsaw", "wind", "zz 9")):
        path = folder / f"{number}.wav"
        io.save(path, 0.2 * torch.randn(4 * RATE, generator=torch.Generator().manual_seed(number)))
        clips.append(Clip(f"k{number}", path, 0, path.stat().st_size, "esc50" if number < 4 else "debian", label=label))
    return Corpus([], clips)


def scene(corpus: Corpus, number: int) -> tuple[CodeClip, np.ndarray]:
    maker = SceneMaker(ClipStore(corpus.valid[:4], RATE))
    made = maker.make(np.random.default_rng([7, number]))
    return CodeClip(f"scenes-7-{number}", (1, 2), 4.0, events=made.events), made.waveform


def test_a_clip_is_found_by_its_key(named):
    found = Originals(named, RATE).find(CodeClip("k1", (1, 2), 4.0))
    assert found is not None
    assert torch.equal(found, torch.from_numpy(ClipStore(named.valid, RATE).waveform(1)))
    assert Originals(named, RATE).find(CodeClip("other", (1, 2), 4.0)) is None


def test_a_scene_is_made_again(named):
    clip, waveform = scene(named, 3)
    found = Originals(named, RATE).find(clip)
    assert found is not None
    assert np.array_equal(found.numpy(), waveform)


def test_another_scene_is_not_taken_for_it(named):
    clip, _ = scene(named, 3)
    for other in (replace(clip, key="scenes-7-4"), replace(clip, key="scenes-x"), replace(clip, key="mine-7-3")):
        assert Originals(named, RATE).find(other) is None
    assert Originals(Corpus([], named.valid[:2]), RATE).find(clip) is None
