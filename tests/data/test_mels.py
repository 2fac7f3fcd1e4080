"""Crops of log-mel depend on their number alone; mixing adds magnitudes and weighs labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.audio.mel import MelConfig
from makesomenoise.data.clips import NO_LABEL, ClipStore, Sequences
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.mels import SILENCE, MelAugmentConfig, MelCrops, MelStore, mixed, mixed_targets, varied
from makesomenoise.nn.log_mel import LogMel

MEL = MelConfig()


@pytest.fixture
def store(tmp_path: Path, tone) -> MelStore:
    """Two tones in folders that are their labels."""
    for label, hz in (("high", 3000.0), ("low", 200.0)):
        (tmp_path / label).mkdir()
        io.save(tmp_path / label / "tone.flac", tone(0.5, hz))
    return MelStore(ClipStore(read_clips([tmp_path]), 24_000), MEL)


def crops(store: MelStore, augment: MelAugmentConfig | None = None, seed: int = 0) -> MelCrops:
    return MelCrops(store, MEL, 128, 32, Sequences(store.clips, ["high", "low"]), augment, seed)


def test_the_store_holds_the_mel_of_the_clip(store: MelStore, tone) -> None:
    expected = LogMel(MEL)(tone(0.5, 3000.0)[None])[0].T.numpy()
    audible = expected > -4.0  # below, the rounding to 16 bits is heard
    assert np.abs(store.mel(0) - expected)[audible].max() < 0.02


def test_a_crop_has_its_shape_and_labels_where_it_sounds(store: MelStore) -> None:
    example = crops(store)[0]
    assert example["mel"].shape == (100, 128)
    assert example["labels"].shape == (4,)
    silent = (example["mel"] == SILENCE).all(0).unflatten(0, (4, 32)).all(1)
    assert (example["labels"][silent] == NO_LABEL).all()


def test_a_crop_depends_on_seed_and_number_alone(store: MelStore) -> None:
    first = crops(store, MelAugmentConfig())
    assert torch.equal(first[3]["mel"], crops(store, MelAugmentConfig())[3]["mel"])
    assert not torch.equal(first[3]["mel"], crops(store, MelAugmentConfig(), seed=1)[3]["mel"])


def test_variation_leaves_its_argument_alone_and_blanks_little() -> None:
    mel = np.zeros((128, 100), np.float32)
    out = varied(mel, MelAugmentConfig(), np.random.default_rng(0))
    assert (mel == 0).all()
    assert out.shape == mel.shape
    assert 0 < (out == SILENCE).mean() < 0.5


def test_no_variation_changes_nothing() -> None:
    mel = np.random.default_rng(0).normal(size=(64, 100)).astype(np.float32)
    still = MelAugmentConfig(gain=0.0, tilt=0.0, shift=0, masks=0)
    assert np.array_equal(varied(mel, still, np.random.default_rng(0)), mel)


def test_mixing_adds_magnitudes_and_weighs_targets() -> None:
    mel = torch.tensor([1.0, 3.0])[:, None, None].expand(2, 2, 4)
    targets = torch.eye(2)[..., None].expand(2, 2, 1)
    share, partner = torch.tensor([0.75, 1.0]), torch.tensor([1, 0])
    loud, weights = mixed(mel, share, partner), mixed_targets(targets, share, partner)
    assert torch.allclose(loud[0].exp(), torch.tensor(0.75 * np.e + 0.25 * np.e**3).float())
    assert weights[0, :, 0].tolist() == [0.75, 0.25]
    torch.testing.assert_close(loud[1], mel[1], atol=1e-5, rtol=0)
