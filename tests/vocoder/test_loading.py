from pathlib import Path

import huggingface_hub
import pytest
import torch

from makesomenoise.checkpoint import CheckpointError
from makesomenoise.vocoder.loading import load_vocoder
from makesomenoise.vocoder.vocos import IstftVocoder

MEL = torch.zeros(1, 12, 10)


def test_the_fallback_needs_no_weights() -> None:
    waveform = load_vocoder("griffin-lim")(torch.full((1, 100, 3), -5.0))
    assert waveform.shape == (1, 3 * 256)


def test_a_folder_is_loaded(vocoder: IstftVocoder, tmp_path: Path) -> None:
    vocoder.save(tmp_path)
    torch.testing.assert_close(load_vocoder(tmp_path, vocoder.config.mel)(MEL), vocoder(MEL), atol=0, rtol=0)


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
    torch.testing.assert_close(loaded(MEL), expected(MEL), atol=0, rtol=0)
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


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(CheckpointError, match="'griffin-lim'"):
        load_vocoder("no-such-vocoder")
