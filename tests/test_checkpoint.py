"""Model folders: what is saved is loaded, what does not fit is refused in one sentence, and nothing is half written."""

from typing import Any, ClassVar

import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

from makesomenoise import checkpoint, model_folder
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.config import ModelConfig


class _Settings(ModelConfig):
    model_type: ClassVar[str] = "small"
    not_identifying: ClassVar[tuple[str, ...]] = ("decoder",)

    width: int = 3

    def identity(self) -> dict[str, Any]:
        return {"width": self.width}

    @classmethod
    def from_unversioned(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"width" if name == "breadth" else name: value for name, value in values.items()}


def _state(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"weight": torch.randn(2, 3, generator=generator), "bias": torch.randn(2, generator=generator)}


def test_a_bundled_name_means_the_bundled_model_wherever_it_is_said(tmp_path, monkeypatch):
    for name in ("default", "vocoder", "mine"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert (model_folder.resolve("vocoder") / "model.safetensors").is_file()
    assert (model_folder.resolve("default") / "model.safetensors").is_file()
    assert model_folder.resolve("./default").samefile(tmp_path / "default")
    assert model_folder.resolve("mine").samefile(tmp_path / "mine")


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save_model(tmp_path / "new" / "model", _Settings(width=5), _state(), card="# A model")
    folder = model_folder.resolve(tmp_path / "new" / "model")
    assert model_folder.load_config(folder, _Settings).width == 5
    torch.testing.assert_close(checkpoint.load_state(folder), _state(), rtol=0, atol=0)
    assert (folder / "MODEL_CARD.md").read_text() == "# A model"


def test_half_precision_halves_the_file_and_loads_as_float(tmp_path):
    state = {"weight": torch.randn(1000), "count": torch.tensor(7)}
    checkpoint.save_model(tmp_path, _Settings(), state, storage="float16")
    assert (tmp_path / "model.safetensors").stat().st_size < 2500
    loaded = checkpoint.load_state(tmp_path)
    torch.testing.assert_close(loaded["weight"], state["weight"].half().float(), rtol=0, atol=0)
    assert loaded["count"].dtype == torch.int64
    assert loaded["count"].item() == 7


def _large() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rows = torch.logspace(-9.0, 2.0, 400)[:, None]  # weights of all sizes, and a row of zeros
    matrix = torch.randn(400, 300, generator=generator) * rows
    matrix[7] = 0.0
    return {f"{part}.{name}": t for part in ("decoder", "encoder") for name, t in (("w", matrix), ("b", rows[:, 0]))}


def test_int8_rounds_the_large_matrices_of_a_decoder_alone(tmp_path):
    state = _large()
    checkpoint.save_model(tmp_path, _Settings(), state, storage="int8")
    stored = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert {name for name, t in stored.items() if t.dtype == torch.int8} == {"decoder.w"}
    assert stored["decoder.w.scale"].shape == (400,)
    loaded = checkpoint.load_state(tmp_path)
    assert loaded.keys() == state.keys()
    for name in state.keys() - {"decoder.w"}:
        torch.testing.assert_close(loaded[name], state[name].half().float(), rtol=0, atol=0)
    most = state["decoder.w"].abs().amax(dim=1).clamp_min(127 * torch.finfo(torch.float16).tiny)
    assert ((loaded["decoder.w"] - state["decoder.w"]).abs() <= 0.0045 * most[:, None]).all()


def test_what_int8_loaded_is_stored_the_same_again(tmp_path):
    checkpoint.save_model(tmp_path / "first", _Settings(), _large(), storage="int8")
    checkpoint.save_model(tmp_path / "second", _Settings(), checkpoint.load_state(tmp_path / "first"), storage="int8")
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second


def test_nothing_but_the_model_is_left_in_the_folder(tmp_path):
    checkpoint.save_model(tmp_path, _Settings(), _state())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.yaml", "model.safetensors"]


def test_a_failed_save_keeps_the_old_weights(tmp_path, monkeypatch):
    checkpoint.save_model(tmp_path, _Settings(), _state())
    monkeypatch.setattr(safetensors.numpy, "save", lambda _: "not bytes")
    with pytest.raises(TypeError):
        checkpoint.save_model(tmp_path, _Settings(), _state(1))
    torch.testing.assert_close(checkpoint.load_state(tmp_path), _state(), rtol=0, atol=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.yaml", "model.safetensors"]


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(CheckpointError, match=r"No model 'nothing'.*Hub id owner/name"):
        model_folder.resolve("nothing")


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no config\.yaml"):
        model_folder.load_config(tmp_path, _Settings)


def test_damaged_weights_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="Cannot read the weights"):
        checkpoint.load_state(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("bias"), "lacks 'bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown 'extra'"),
        (lambda s: s.update(weight=torch.zeros(2, 4)), "another shape of 'weight'"),
    ],
)
def test_weights_that_do_not_match_are_refused(change, message):
    module, state = nn.Linear(3, 2), _state()
    change(state)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load_into(module, state, "the test")


def test_the_fingerprint_is_of_weights_and_settings():
    first = checkpoint.fingerprint(_Settings(), _state())
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert checkpoint.fingerprint(_Settings(), _state()) == first
    assert checkpoint.fingerprint(_Settings(width=4), _state()) != first
    assert checkpoint.fingerprint(_Settings(), _state(1)) != first
    assert checkpoint.fingerprint(_Settings(), {k: v.half().float() for k, v in _state().items()}) == first


def test_a_model_is_known_by_what_decides() -> None:
    class Later(_Settings):
        option: bool = False

    known = checkpoint.model_fingerprint(_Settings(), _state())
    assert checkpoint.model_fingerprint(Later(option=True), _state()) == known
    assert checkpoint.model_fingerprint(_Settings(), _state() | {"decoder.weight": torch.ones(2)}) == known
    assert checkpoint.model_fingerprint(_Settings(width=4), _state()) != known
    assert checkpoint.model_fingerprint(_Settings(), _state(1)) != known


def test_a_folder_says_what_it_holds(tmp_path) -> None:
    checkpoint.save_model(tmp_path, _Settings(width=5), _state())
    lines = (tmp_path / "config.yaml").read_text().splitlines()
    known = checkpoint.model_fingerprint(_Settings(width=5), _state())
    assert lines == ["model_type: small", "format_version: 1", f"fingerprint: {known}", "width: 5"]
    stored = checkpoint.load_model(tmp_path, _Settings)
    assert stored.config == _Settings(width=5)
    torch.testing.assert_close(stored.tensors(), _state(), rtol=0, atol=0)


def test_a_folder_of_before_still_loads(tmp_path) -> None:
    checkpoint.save_model(tmp_path, _Settings(), _state())
    (tmp_path / "config.yaml").write_text("breadth: 7\n")
    assert checkpoint.load_model(tmp_path, _Settings).config.width == 7


@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        ("width: 3", "width: 4", "says it is the model .*, but its config.yaml and model.safetensors are those of"),
        (
            "model_type: small",
            "model_type: large",
            "holds a model of type 'large', and one of type 'small' is",
        ),
        ("format_version: 1", "format_version: 9", "has format 9, and this makesomenoise reads up to 1"),
        ("format_version: 1", "format_version: new", "has format new"),
        ("width: 3", "breadth: 3", "Unknown key 'breadth'"),
    ],
)
def test_a_folder_that_is_not_what_it_says_is_refused(tmp_path, line, changed, message) -> None:
    checkpoint.save_model(tmp_path, _Settings(), _state())
    path = tmp_path / "config.yaml"
    path.write_text(path.read_text().replace(line, changed))
    with pytest.raises(CheckpointError, match=message) as caught:
        checkpoint.load_model(tmp_path, _Settings)
    assert "\n" not in str(caught.value)


def test_other_weights_under_the_same_name_are_refused(tmp_path) -> None:
    checkpoint.save_model(tmp_path / "ours", _Settings(), _state())
    checkpoint.save_model(tmp_path / "other", _Settings(), _state(1))
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "ours" / "model.safetensors")
    with pytest.raises(CheckpointError, match="copy both files again"):
        checkpoint.load_model(tmp_path / "ours", _Settings)


def test_a_hub_id_is_downloaded(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: asked.append((a, k)) or str(tmp_path))
    assert model_folder.resolve("me/model") == tmp_path
    assert asked == [(("me/model",), {"allow_patterns": ["config.yaml", "model.safetensors", "MODEL_CARD.md"]})]
