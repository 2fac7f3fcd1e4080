"""What decides on the codes is a list: no default, no training setting and nothing about decoding counts."""

from typing import Any

import pytest

from makesomenoise.tokenizer.config import TokenizerConfig


def identity(**values: Any) -> dict[str, Any]:
    return TokenizerConfig.from_dict(values).identity()


def test_what_the_first_models_had_goes_without_saying() -> None:
    assert identity(encoder={"frame_dim": 96, "dim": 192, "layers": 3, "heads": 3, "spectral_peak_input": True}) == {
        "encoder": {"frame_dim": 96, "dim": 192, "layers": 3, "heads": 3, "peaks": True}
    }
    assert identity(quantizer={"kind": "ema"}) == {"quantizer": {}}
    assert identity() == {}


@pytest.mark.parametrize(
    "values",
    [
        {"window": {"seam_frames": 8}},
        {"teachers": [{"name": "an ear", "sha256": "0" * 64}]},
        {"code_teachers": [{"name": "an ear", "sha256": "0" * 64}]},
        {"encoder": {"semantic_branch": {"teachers": [{"name": "an ear", "sha256": "0" * 64}]}}},
        {"decoder": {"kind": "regression"}},
        {"quantizer": {"kind": "variational", "kl_weight": 0.5, "temperature_end": 0.1}},
    ],
)
def test_what_does_not_decide_on_codes_does_not_count(values: dict[str, Any]) -> None:
    assert identity(**values) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"mel": {"n_mels": 80}},
        {"mel": {"high_pass_hz": 35.0}},
        {"scale": {"mean": 0.0}},
        {"window": {"context": 8}},
        {"encoder": {"semantic_branch": {"layers": 1}}},
        {"quantizer": {"kind": "variational", "codebook_size": 512}},
        {"quantizer": {"kind": "fsq", "levels": [8, 8]}},
    ],
)
def test_what_decides_on_codes_counts(values: dict[str, Any]) -> None:
    assert identity(**values) != {}


def test_every_setting_of_the_encoder_counts() -> None:
    counted = identity(
        encoder={
            "semantic_branch": {"channels": [8, 8, 8, 8], "dim": 8, "layers": 1, "heads": 1},
            "frame_dim": 8,
            "frame_layers": 2,
            "dim": 8,
            "layers": 1,
            "heads": 1,
            "latent_dim": 8,
            "spectral_peak_input": True,
        }
    )["encoder"]
    names = {"semantic_branch": "scene", "spectral_peak_input": "peaks"}
    fields = type(TokenizerConfig().encoder).model_fields
    assert counted.keys() == {names.get(name, name) for name in fields}, "say in _CODE_SETTINGS whether it decides"


def test_keys_of_before_are_understood() -> None:
    old = {"encoder": {"scene": {"layers": 1}, "peaks": True}}
    config = TokenizerConfig.from_dict(TokenizerConfig.from_unversioned(old))
    assert config.encoder.spectral_peak_input
    assert config.encoder.semantic_branch.layers == 1
