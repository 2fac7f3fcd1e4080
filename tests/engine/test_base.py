import pytest

from makesomenoise.engine.base import EngineError, chosen_engine


@pytest.mark.parametrize(
    ("name", "device", "engine"),
    [("auto", "cpu", "onnx"), ("auto", "cuda", "torch"), ("onnx", "cpu", "onnx"), ("torch", "cpu", "torch")],
)
def test_a_cpu_needs_no_torch(name: str, device: str, engine: str) -> None:
    assert chosen_engine(name, device) == engine


def test_what_cannot_be_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="Unknown engine 'jax': give auto, onnx or torch"):
        chosen_engine("jax")
    with pytest.raises(EngineError, match="computes on the cpu, not on 'cuda'"):
        chosen_engine("onnx", "cuda")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EngineError, match=r"pip install 'makesomenoise\[torch\]'"):
        chosen_engine("torch")
