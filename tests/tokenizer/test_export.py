from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from makesomenoise import checkpoint
from makesomenoise.tokenizer.export import export_tokenizer
from makesomenoise.tokenizer.model import AudioTokenizer


def test_the_files_alone_are_enough_for_another_program(folder: Path, tmp_path: Path) -> None:
    tokenizer = AudioTokenizer.load(folder / "tokenizer", "griffin-lim")
    written = export_tokenizer(folder / "tokenizer", tmp_path / "out", folder / "vocoder")
    names = ["encoder.onnx", "trunk.onnx", "denoiser.onnx", "vocoder/vocoder.onnx"]
    assert [str(path.relative_to(tmp_path / "out")) for path in written] == names
    for path in written:
        assert path.stat().st_size < 100_000
        onnx.checker.check_model(str(path))
        read = onnx.load(str(path), load_external_data=False)
        assert {entry.key: entry.value for entry in read.metadata_props} == {"fingerprint": tokenizer.fingerprint}
        assert not any("Complex" in node.op_type or node.op_type in {"STFT", "DFT"} for node in read.graph.node)
    mel = np.random.default_rng(0).standard_normal((1, 100, 64), np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "encoder.onnx"))
    (codes,) = session.run(None, {"mel": mel})
    assert codes.shape == (1, 16)


def test_a_folder_may_be_written_into_itself(folder: Path, tmp_path: Path) -> None:
    export_tokenizer(folder / "tokenizer", tmp_path, folder / "vocoder")
    before = (tmp_path / checkpoint.WEIGHTS_FILE).read_bytes()
    export_tokenizer(tmp_path, tmp_path, tmp_path / "vocoder")
    assert (tmp_path / checkpoint.WEIGHTS_FILE).read_bytes() == before


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(checkpoint.CheckpointError, match="No model"):
        export_tokenizer("nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
