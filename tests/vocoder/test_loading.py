from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch

from makesomenoise.checkpoint import CheckpointError
from makesomenoise.engine.base import EngineError
from makesomenoise.vocoder.loading import load_vocoder
from makesomenoise.vocoder.vocos import IstftVocoder

MEL = np.zeros((1, 12, 10), np.float32)


def test_the_fallback_needs_no_weights() -> None:
    waveform = load_vocoder("griffin-lim")(np.full((1, 100, 3), -5.0, np.float32))
    assert waveform.shape == (1, 3 * 256)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("griffin_lim_iters", [0, 2])
def test_a_folder_is_loaded(engine: str, griffin_lim_iters: int, vocoder: IstftVocoder, tmp_path: Path) -> None:
    config = vocoder.config.model_copy(update={"griffin_lim_iters": griffin_lim_iters})
    made = IstftVocoder(config).eval()
    torch.nn.init.normal_(made.head.out.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    made.save(tmp_path)
    mel = np.random.default_rng(0).standard_normal((2, 12, 40), np.float32)
    loaded = load_vocoder(tmp_path, config.mel, engine)
    assert loaded.context_frames == made.context_frames
    np.testing.assert_allclose(loaded(mel), made(torch.from_numpy(mel)).detach().numpy(), atol=1e-4)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_files_of_two_models_are_refused(engine: str, vocoder: IstftVocoder, tmp_path: Path) -> None:
    vocoder.save(tmp_path / "one")
    IstftVocoder(vocoder.config).save(tmp_path / "two")
    (tmp_path / "two" / "config.yaml").replace(tmp_path / "one" / "config.yaml")
    with pytest.raises(CheckpointError, match="copy both files again"):
        load_vocoder(tmp_path / "one", vocoder.config.mel, engine)


def test_the_format_of_vocos_needs_torch(vocos_folder: Path) -> None:
    with pytest.raises(EngineError, match="has the format of Vocos"):
        load_vocoder(vocos_folder, engine="onnx")


@pytest.mark.parametrize("kind", ["ours", "vocos"])
def test_a_hub_id_is_fetched_and_its_format_recognised(
    kind: str, vocoder: IstftVocoder, vocos_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocoder.save(tmp_path / "ours")
    asked = []

    def fetch(repo_id: str, allow_patterns: list[str]) -> str:
        asked.append((repo_id, sorted(allow_patterns)))
        return str(tmp_path / kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    expected = vocoder if kind == "ours" else IstftVocoder.from_vocos(vocos_folder)
    loaded = load_vocoder("hub:owner/name", vocoder.config.mel)
    np.testing.assert_allclose(loaded(MEL), expected(torch.from_numpy(MEL)).detach().numpy(), atol=1e-5)
    assert asked == [("owner/name", ["config.yaml", "model.safetensors", "pytorch_model.bin"])]


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(repo_id: str, allow_patterns: list[str]) -> str:
        raise OSError(f"no route to {repo_id}\n{allow_patterns}")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(CheckpointError, match=r"^Cannot fetch the vocoder 'owner/name' from the Hub \(.*\)\.$"):
        load_vocoder("hub:owner/name")


def test_a_vocoder_for_another_log_mel_is_refused(vocoder: IstftVocoder, tmp_path: Path) -> None:
    vocoder.save(tmp_path)
    with pytest.raises(CheckpointError, match="another log-mel"):
        load_vocoder(tmp_path)


def test_a_mel_that_has_passed_a_high_pass_is_rendered_like_any(vocoder: IstftVocoder, tmp_path: Path) -> None:
    vocoder.save(tmp_path)
    passed = vocoder.config.mel.model_copy(update={"high_pass_hz": 35.0})
    assert (load_vocoder(tmp_path, passed)(MEL) == load_vocoder(tmp_path, vocoder.config.mel)(MEL)).all()


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(CheckpointError, match="'griffin-lim'"):
        load_vocoder("no-such-vocoder")
