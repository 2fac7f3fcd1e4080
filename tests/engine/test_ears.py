"""Networks in files become ears; what is none is refused in one sentence, and so is an ear that was a teacher."""

import importlib
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from makesomenoise.engine.ears import Ear, EarError, open_ears
from makesomenoise.errors import ConfigError
from tests.engine.tiny_ears import write_onnx, write_tflite

HEARS = "sample_rate=8000,window_samples=8,hop_samples=4"
STEPS = np.repeat([1.0, -2.0, 3.0, -4.0], 2).astype(np.float32)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "net.onnx", 8, 4)


@pytest.mark.parametrize(
    ("write", "tensor"), [(write_onnx, 1), (write_onnx, -1), (write_tflite, 4), (write_tflite, -1)]
)
def test_the_embedding_is_the_tensor_that_is_named(write, tensor: int, tmp_path: Path):
    path = write(tmp_path / f"net.{write.__name__.removeprefix('write_')}", 8, 4)
    ear = Ear.open(f"{path},{HEARS},tensor={tensor}")
    assert ear.listen(STEPS, 8000).embeddings.tolist() == [[1.0, 2.0, 3.0, 4.0]]
    assert Ear.open(f"{path},{HEARS}").listen(STEPS, 8000).embeddings.tolist() == [[-1.0, -2.0, -3.0, -4.0]]
    assert ear.name == "net"
    assert re.fullmatch("[0-9a-f]{64}", ear.sha256)


@pytest.mark.parametrize("write", [write_onnx, write_tflite])
def test_probabilities_are_the_output_that_is_named(write, tmp_path: Path):
    path = write(tmp_path / f"net.{write.__name__.removeprefix('write_')}", 8, 4)
    heard = Ear.open(f"{path},{HEARS},tensor=-1,scores=0").listen(np.repeat(STEPS, 2), 8000)
    assert heard.embeddings.shape == heard.scores.shape == (3, 4)
    assert heard.scores[0].tolist() == [-1.0, -1.0, -2.0, -2.0]
    assert Ear.open(f"{path},{HEARS}").listen(STEPS, 8000).scores.shape == (1, 0)
    with pytest.raises(EarError, match=r"output\(s\), and its settings name 7"):
        Ear.open(f"{path},{HEARS},scores=7")


def test_windows_reach_to_the_end_and_what_is_short_is_padded(net: Path):
    ear = Ear.open(f"{net},{HEARS},tensor=1")

    def first(samples: int) -> list[float]:
        return ear.listen(np.repeat(np.arange(samples // 2, dtype=np.float32), 2), 8000).embeddings[:, 0].tolist()

    assert first(16) == [0.0, 2.0, 4.0]
    assert first(18) == [0.0, 2.0, 4.0]  # half a hop more is left out
    assert first(20) == [0.0, 2.0, 4.0, 6.0]
    assert first(22) == [0.0, 2.0, 4.0, 6.0]
    assert Ear.open(f"{net},sample_rate=8000,window_samples=8,hop_samples=2,tensor=1").listen(
        STEPS[:3], 8000
    ).embeddings.tolist() == [[1.0, 1.0, 0.0, 0.0]]


def test_other_rates_are_resampled(net: Path):
    ear = Ear.open(f"{net},{HEARS},tensor=1")
    heard = ear.listen(np.full(24_000, 0.5, np.float32), 24_000).embeddings
    assert len(heard) == 1999
    assert np.allclose(heard[100:-100], 0.5, atol=1e-3)


def test_settings_stand_beside_the_file_or_after_its_name(net: Path):
    with pytest.raises(EarError, match=r"Nothing says how .*net.onnx listens: write sample_rate, .* into .*net.yaml"):
        Ear.open(net)
    net.with_suffix(".yaml").write_text("sample_rate: 8000\nwindow_samples: 8\nhop_samples: 4\ntensor: 1\n")
    assert Ear.open(net).settings.model_dump() == {
        "sample_rate": 8000,
        "window_samples": 8,
        "hop_samples": 4,
        "tensor": 1,
        "scores": None,
    }
    assert Ear.open(f"{net},hop_samples=2").settings.hop_samples == 2
    with pytest.raises(ConfigError, match=r"Unknown key 'hop' in the settings of net.onnx; valid keys there: sample"):
        Ear.open(f"{net},hop=2")
    with pytest.raises(ConfigError, match=r"Wrong value at 'sample_rate' in the settings of net.onnx"):
        Ear.open(f"{net},sample_rate=much")


def test_yamnet_and_birdnet_are_known_by_name(tmp_path: Path):
    yamnet = Ear.open(f"{write_tflite(tmp_path / 'yamnet.tflite', 15_600, 4)},tensor=4")
    assert (yamnet.settings.sample_rate, yamnet.settings.hop_samples) == (16_000, 7_800)
    birdnet = Ear.open(write_tflite(tmp_path / "BirdNET_V2.4_FP32.tflite", 144_000, 4))
    assert (birdnet.settings.sample_rate, birdnet.settings.hop_samples, birdnet.settings.tensor) == (48_000, 96_000, -1)
    assert birdnet.listen(np.ones(10, np.float32), 48_000).embeddings.shape == (1, 4)
    with pytest.raises(EarError, match="tensor"):
        Ear.open(tmp_path / "yamnet.tflite")  # has no tensor 121


@pytest.mark.parametrize("shape", [["batch", 8], [1, "length"], ["length"], ["batch", 1, "length"]])
def test_free_lengths_are_filled(shape: list, tmp_path: Path):
    ear = Ear.open(f"{write_onnx(tmp_path / 'net.onnx', 8, 4, shape)},{HEARS},tensor=1")
    assert ear.listen(STEPS, 8000).embeddings.tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_what_is_no_such_network_is_refused_in_a_sentence(net: Path, tmp_path: Path):
    text, other = tmp_path / "text.onnx", tmp_path / "net.pt"
    text.write_text("no network")
    shutil.copy(text, tmp_path / "text.tflite")
    shutil.copy(text, other)
    mels = write_onnx(tmp_path / "mels.onnx", 8, 4, [1, 2, 4])
    for source, said in {
        tmp_path / "nowhere.onnx": "No ear at .*nowhere.onnx: give a .tflite or .onnx file",
        tmp_path: "No ear at",
        other: "ends in '.pt', not in .tflite or .onnx",
        f"{text},{HEARS}": "Cannot use .*text.onnx as an ear, it is no network that runs: ",
        f"{tmp_path / 'text.tflite'},{HEARS}": "Cannot use .*text.tflite as an ear, it is no network that runs: ",
        f"{mels},{HEARS}": r"takes 1 input\(s\), the first \[1, 2, 4\] in float, and not one waveform of 8 samples",
        f"{net},sample_rate=8000,window_samples=16,hop_samples=4": r"\[1, 8\] in float, and not one waveform of 16",
        f"{net},{HEARS},tensor=2": r"has 2 output\(s\), and its settings name 2; count from 0",
        f"{write_onnx(tmp_path / 'level.onnx', 8, 1)},{HEARS}": r"gives 1 value\(s\) a window where tensor is None",
    }.items():
        with pytest.raises(EarError, match=said) as caught:
            Ear.open(source)
        assert "\n" not in str(caught.value)


def test_other_inputs_and_values_are_refused(tmp_path: Path):
    def written(name: str, kind: int, operator: str, *others) -> str:
        given = [helper.make_tensor_value_info(one, kind, [1, 8]) for one in ("a", *others)]
        made = helper.make_tensor_value_info("out", kind, [1, 8])
        graph = helper.make_graph([helper.make_node(operator, [g.name for g in given], ["out"])], "ear", given, [made])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / name)
        return f"{tmp_path / name},{HEARS}"

    with pytest.raises(EarError, match=r"the first \[1, 8\] in not float"):
        Ear.open(written("whole.onnx", TensorProto.INT32, "Abs"))
    with pytest.raises(EarError, match=r"takes 2 input\(s\)"):
        Ear.open(written("two.onnx", TensorProto.FLOAT, "Add", "b"))
    ear = Ear.open(written("logarithm.onnx", TensorProto.FLOAT, "Reciprocal"))
    with pytest.raises(EarError, match="values that are not finite numbers"):
        ear.listen(np.zeros(8, np.float32), 8000)


def test_a_missing_extra_is_said(net: Path, monkeypatch: pytest.MonkeyPatch):
    found = importlib.import_module

    def missing(name: str, *rest: str) -> object:
        if name == "sklearn":
            raise ModuleNotFoundError(name)
        return found(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(EarError, match=r"needs scikit-learn, .* pip install 'makesomenoise\[ears\]'"):
        Ear.open(f"{net},{HEARS}")


def test_two_ears_have_two_names(net: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    other = shutil.copy(net, tmp_path / "other" / "net.onnx")
    with pytest.raises(EarError, match="Two ears are called 'net'"):
        open_ears([f"{net},{HEARS}", f"{other},{HEARS}"])
